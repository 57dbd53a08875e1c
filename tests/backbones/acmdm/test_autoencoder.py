"""The auto-encoder is causal."""

from __future__ import annotations

import pytest
import torch

from tests.backbones.small_flow_models import acmdm

VARIANTS = {"latent": {}, "one token a frame": {"patch": 22}, "raw": {"latent": False, "patch": 22}}


@pytest.fixture(params=list(VARIANTS.values()), ids=list(VARIANTS))
def backbone(request):
    return acmdm(**request.param)


def test_decoding_is_causal():
    backbone = acmdm()
    x = torch.randn(1, 6, 88)
    changed = x.clone()
    changed[:, 4:] += 1
    a, b = (backbone.to_features(z, torch.tensor([24])) for z in (x, changed))
    assert torch.equal(a[:, :16], b[:, :16])
    assert not torch.allclose(a[:, 16:], b[:, 16:])
