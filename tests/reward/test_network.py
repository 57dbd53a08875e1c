"""The network: masks, tokens, patches, official sizes."""

from __future__ import annotations

import pytest
import torch

from motionrft.errors import InputError
from motionrft.reward.network import RewardNetwork
from motionrft.reward.network_settings import NetworkSettings
from reference.tolerance import rounding
from tests.same import assert_same

from .tiny import DIMS, tiny_network


@pytest.mark.usefixtures("float64")
def test_padding_changes_nothing(network, motions):
    features, lengths = motions
    garbage = torch.where(features == 0, torch.full_like(features, 9.0), features)
    clean, dirty = (network.encode_motion(x, lengths, "joint") for x in (features, garbage))
    assert_same(clean.mean, dirty.mean)
    alone = network.encode_motion(features[2:, :5], lengths[2:], "joint")
    assert_same(alone.mean, clean.mean[2:])


@pytest.mark.usefixtures("float64")
def test_patches_ignore_padding_and_partial_ends(motions):
    network = tiny_network(patch=4)
    features, lengths = motions
    garbage = torch.where(features == 0, torch.full_like(features, 9.0), features)
    latents = [network.encode_motion(x, lengths, "joint").mean for x in (features, garbage)]
    assert_same(latents[0], latents[1])
    alone = network.encode_motion(features[2:, :5], lengths[2:], "joint").mean
    assert_same(alone, latents[0][2:])
    decoded = network.decode(latents[0], lengths, 11, "joint")
    assert decoded.shape == (3, 11, 66)
    assert (decoded[1, 8:] == 0).all()
    assert (decoded[1, :8] != 0).any()


def test_time_token_matters_and_none_is_not_zero(network, motions):
    features, lengths = motions
    steps = [None, torch.zeros(3, dtype=torch.long), torch.tensor([400, 0, 0])]
    none, zero, late = (network.encode_motion(features, lengths, "joint", t).mean for t in steps)
    assert (none - zero).abs().max() > 1e-3
    assert (zero - late)[0].abs().max() > 1e-3
    torch.testing.assert_close(zero[1:], late[1:], **rounding(network))


def test_wrong_representation_is_one_clear_error(network, motions):
    features, lengths = motions
    with pytest.raises(InputError, match=r"66.*135"):
        network.encode_motion(features, lengths, "rotation")
    with pytest.raises(InputError, match="does not know representation 'hands'"):
        network.encode_motion(features, lengths, "hands")


def test_official_tiny_has_the_released_size():
    network = RewardNetwork(NetworkSettings(DIMS, 1024))
    assert sum(p.numel() for p in network.parameters()) == 4_310_480
    assert len(network.state_dict()) == 175


def test_unknown_size_is_named():
    with pytest.raises(InputError, match="'latent'"):
        NetworkSettings.read({"latent": 3}, DIMS, 8)
