"""What the released attention does with padding."""

from __future__ import annotations

import pytest
import torch

from tests.backbones.motiondiffuse.small_motiondiffuse import DIM, condition, make
from tests.same import SHARE


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("attention", ["efficient", "full", "full_official"])
def test_only_the_official_full_attention_sees_padding(attention):
    model, given = make(attention=attention), condition([24, 12])
    x, t = torch.randn(2, 24, DIM), torch.tensor([3, 50])
    changed = x.clone()
    changed[1, 12:] = 5
    difference = (model.predict(x, t, given) - model.predict(changed, t, given))[1, :12].abs().max()
    assert (difference > 1e-3) if attention == "full_official" else (difference < SHARE)
