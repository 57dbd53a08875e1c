"""A tiny run: corpus, features, text encoder, and an MDM of a few updates, each by its command."""

from __future__ import annotations

import pytest
import torch

from motionrft.cli import main
from motionrft.configuration import dump, resolve
from motionrft.reward.branch import new_branch
from motionrft.reward.files import save_branch, save_network
from motionrft.reward.lora import LoraSettings
from motionrft.reward.network import RewardNetwork
from motionrft.reward.network_settings import NetworkSettings

MDM = {
    # four heads and no averaged frames, as official files have
    "network": {"latent_dim": 16, "ff_size": 16, "layers": 1, "temporal_kernel": 1},
    "sampler": {"steps": 4},
    "pretrain": {"denoiser": {"steps": 2, "batch_size": 4}},
}
RUN = {
    "name": "tiny",
    "size": "small",
    "corpus": {"kind": "toy", "clips": 24, "seed": 0, "frames": [41, 57]},
    "backbones": ["mdm"],
    "methods": [],
    "override": {"backbones": {"mdm": MDM}},
}


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """The folder of the run, with `backbones/mdm/denoiser.safetensors` and what it was made from."""
    folder = tmp_path_factory.mktemp("tiny run")
    config = folder / "config.yaml"
    config.write_text(dump(resolve(RUN)), encoding="utf-8")
    corpus, text = ["--corpus", str(folder / "corpus")], folder / "text"
    features, network = str(folder / "features"), ["--backbone", "mdm", "--stage", "denoiser"]
    cache = str(text / "toy.safetensors")
    model = str(folder / "backbones" / "mdm" / "denoiser.safetensors")
    for command, *options in (
        ["corpus", "--out", str(folder / "corpus")],
        ["features", *corpus, "--out", features],
        ["text-encoder", *corpus, "--name", "toy", "--out", str(text / "toy")],
        ["text", *corpus, "--name", "toy", "--source", str(text / "toy"), "--out", cache],
        ["pretrain", *network, "--text", cache, "--features", features, "--out", model],
    ):
        assert main([command, "--config", str(config), *options]) == 0
    return folder


@pytest.fixture(scope="session")
def model_file(run):
    return run / "backbones" / "mdm" / "denoiser.safetensors"


SIZES = {
    "latent_dim": 8, "unified_dim": 8, "layers": 1, "heads": 2, "feedforward": 8, "text_layers": 1,
    "text_heads": 2, "text_feedforward": 8, "projection_hidden": 8,
}  # fmt: skip
WEIGHTS = {"semantic": 1.0, "m2m": 1.0, "preference": 0.5, "authenticity": 0.0}


@pytest.fixture(scope="session")
def reward_folder(run):
    """An untrained reward of three stages; the semantic one says what `train-reward` says."""
    torch.manual_seed(0)
    dims = {"kinematic": 263, "joint": 66, "rotation": 135}
    network = RewardNetwork(NetworkSettings(dims, 64, **SIZES)).eval()
    about = {
        "stage": "semantic",
        "settings": {"weights": WEIGHTS, "text": "toy"},
        "noise": {"max_t": 500},
        "official": {"no_clean_token": False},
    }
    folder = run / "reward"
    save_network(folder / "semantic.safetensors", network, about)
    for task, outputs in (("preference", 1), ("authenticity", 2)):
        branch = new_branch(network, task, outputs, LoraSettings(rank=2, alpha=2, dropout=0.0))
        save_branch(folder / f"{task}.safetensors", branch, {**about, "stage": task})
    return folder
