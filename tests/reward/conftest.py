"""The tiny corpus, network and motions of the reward's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from motionrft.reward.network import RewardNetwork
from motionrft.reward.settings import RewardSettings
from motionrft.reward.stages import load
from motionrft.text.features import TextBatch

from .tiny import TOKENS, section, tiny_network, training, write_store, write_text


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    """A folder with `features/` and `text.safetensors`."""
    folder = tmp_path_factory.mktemp("reward")
    write_store(folder / "features")
    write_text(folder / "text.safetensors")
    return folder


@pytest.fixture
def settings() -> RewardSettings:
    return RewardSettings.read(section())


@pytest.fixture
def network() -> RewardNetwork:
    return tiny_network()


@pytest.fixture
def words() -> TextBatch:
    torch.manual_seed(1)
    mask = torch.tensor([[True, True, True], [True, True, False], [True, False, False]])
    return TextBatch(torch.randn(3, TOKENS), torch.randn(3, 3, TOKENS), mask, mask.sum(1) - 1)


@pytest.fixture
def motions() -> tuple[torch.Tensor, torch.Tensor]:
    """Three joint motions [3, 11, 66], zero after their lengths."""
    torch.manual_seed(2)
    lengths = torch.tensor([11, 8, 5])
    mask = torch.arange(11)[None] < lengths[:, None]
    return torch.randn(3, 11, 66) * mask[..., None], lengths


@pytest.fixture(scope="session")
def trained(corpus, tmp_path_factory):
    """A semantic network trained for 40 steps, and its history."""
    value = section()
    value["stages"]["semantic"]["train"] |= {"steps": 40, "batch_size": 24, "validate_every": 20}
    checkpoint = tmp_path_factory.mktemp("semantic") / "c.pt"
    return load("semantic").train(training(corpus, checkpoint, value))
