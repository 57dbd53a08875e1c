"""Backbones as shapes have no tensor with values, whatever the process did before."""

import pytest
import torch
from torch.utils import _device
from transformers.initialization import meta_device_safe_creation_ops

from motionrft.backbones.shapes import backbone_shapes
from motionrft.configuration import ROOT, load_run
from motionrft.reward.shapes import network_shapes

RUN = load_run(ROOT / "config" / "toy.yaml")


@pytest.fixture
def transformers_has_loaded_a_model():
    """torch looks its functions up while transformers has put another linspace in place."""
    _device._device_constructors.cache_clear()
    with meta_device_safe_creation_ops(), torch.device("meta"):
        torch.empty(1)
    with torch.device("meta"):
        assert torch.linspace(0, 1, 2).device.type == "cpu"
    yield
    _device._device_constructors.cache_clear()


@pytest.mark.usefixtures("transformers_has_loaded_a_model")
@pytest.mark.parametrize("name", RUN["backbones"])
def test_all_tensors_are_meta(name):
    network = backbone_shapes(RUN, name)
    assert {each.device.type for each in (*network.parameters(), *network.buffers())} == {"meta"}


@pytest.mark.usefixtures("transformers_has_loaded_a_model")
def test_those_of_the_reward_are_too():
    network = network_shapes(RUN)
    assert {each.device.type for each in (*network.parameters(), *network.buffers())} == {"meta"}
