"""A tiny MDM, a tiny reward with random weights and a corpus, as the files that `finetune` reads."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import yaml

from motionrft.backbones.io import build_backbone, save_backbone
from motionrft.cli import main
from motionrft.configuration import available, load_run, part
from motionrft.corpus.store import FeatureStore
from motionrft.finetune.prompt_data import Sources
from motionrft.finetune.setup import prepare
from motionrft.reward.files import save_branch, save_network
from motionrft.reward.lora import LoraSettings
from motionrft.reward.network import RewardNetwork
from motionrft.reward.network_settings import NetworkSettings
from motionrft.reward.stages import load
from tests.evaluation.small_corpus import write_store, write_text

STAGES = ("semantic", "preference", "authenticity", "spl")
NETWORK = {"latent_dim": 16, "ff_size": 16, "layers": 1, "heads": 2}
REWARD = {
    "latent_dim": 8,
    "unified_dim": 8,
    "layers": 1,
    "heads": 2,
    "feedforward": 8,
    "text_layers": 1,
    "text_heads": 2,
    "text_feedforward": 8,
    "projection_hidden": 8,
    "projection_layers": 1,
    "dropout": 0.0,
    "patch": 4,
}


def goes_with_mdm(method: str) -> bool:
    """Whether the method is defined on an ancestral sampler."""
    return "ddpm" in part("methods", method, "").get("needs", {}).get("samplers", ["ddpm"])


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """features/, text.safetensors, mdm.safetensors, reward stages and a run file, in one folder."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    store, text = (
        write_store(folder / "features"),
        write_text(folder / "text.safetensors"),
    )
    run = {
        "name": "tiny",
        "corpus": {"kind": "toy", "seed": 0},
        "backbones": ["mdm"],
        "methods": [name for name in available("methods") if goes_with_mdm(name)],
        "finetune": {
            "updates": 4,
            "batch_size": 8,
            "validate_every": 2,
            "validate_prompts": 4,
            "lr": 0.001,
            "select": "last",  # no judge here
            "select_by": "reward",
            "reward_ceiling": 0,
        },
        "override": {"backbones": {"mdm": {"network": NETWORK}}},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(run))
    settings = load_run(folder / "run.yaml")["backbones"]["mdm"]
    widths = {"pooled": text.pooled_dim, "tokens": text.token_dim}
    features = FeatureStore(store)
    backbone = build_backbone(
        settings, dim=263, text=widths, normaliser=features.normaliser("kinematic")
    )
    save_backbone(
        folder / "mdm.safetensors", backbone, {"backbone": settings, "dim": 263, "text": widths}
    )
    network = RewardNetwork(
        NetworkSettings.read(
            REWARD, {"kinematic": 263, "joint": 66, "rotation": 135}, text.token_dim
        )
    )
    about = {"noise": {"max_t": 500}, "official": {"no_clean_token": False}}
    save_network(folder / "semantic.safetensors", network, about)
    refined = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in refined.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    save_network(folder / "spl.safetensors", refined, {**about, "stage": "spl"})
    for task in ("preference", "authenticity"):
        branch = load(task).new_branch(network, LoraSettings(rank=2, alpha=4))
        save_branch(folder / f"{task}.safetensors", branch, {})
    return folder


def finetune(
    files: Path,
    out: Path,
    method: str,
    *changes: str,
    reward=("semantic", "preference", "authenticity"),
    base: Path | None = None,
) -> int:
    words = [
        "finetune",
        "--config",
        str(files / "run.yaml"),
        "--backbone",
        "mdm",
        "--method",
        method,
    ]
    for change in changes:
        words += ["--set", change]
    words += [
        "--base",
        str(base or files / "mdm.safetensors"),
        "--features",
        str(files / "features"),
    ]
    words += ["--text", str(files / "text.safetensors"), "--out", str(out), "--device", "cpu"]
    return main([*words, "--reward", *(str(files / f"{stage}.safetensors") for stage in reward)])


def prepared(files: Path, method: str, *changes: str):
    run = load_run(files / "run.yaml", list(changes))
    rewards = [files / f"{stage}.safetensors" for stage in STAGES]
    sources = Sources(
        files / "mdm.safetensors", rewards, files / "features", files / "text.safetensors"
    )
    return prepare(run, "mdm", method, 0, sources, torch.device("cpu"))
