"""Wrong sections are one clear error."""

from __future__ import annotations

import pytest
import torch

from motionrft.errors import InputError
from tests.backbones.small_latent_models import (
    condition,
    make,
)


def test_the_denoiser_may_have_sizes_of_its_own():
    backbone = make("motionlcm", denoiser={"projected": True, "hidden": 24})
    assert backbone.vae.skel_embedding.out_features == 16
    assert not backbone.vae.projected
    assert backbone.denoiser.latent_pre.out_features == 24
    assert backbone.new_teacher().latent_post.in_features == 24
    x = torch.randn(2, *backbone.sample_shape(8))
    prompts = condition([8, 4])
    assert backbone.guided(x, torch.tensor([3, 9]), prompts, 2.0).shape == x.shape
    with pytest.raises(InputError, match="hiden"):
        make("mld", denoiser={"hiden": 24})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"layers": 4}, "layers"),
        ({"heads": 3}, "heads"),
        ({"latent": [1, 8]}, "hidden"),
        ({"widht": 3}, "widht"),
        ({"vae_loss": {"kld": 1.0}}, "kld"),
    ],
)
def test_a_wrong_network_section_is_one_clear_error(change, field):
    with pytest.raises(InputError, match=field):
        make("mld", **change)
