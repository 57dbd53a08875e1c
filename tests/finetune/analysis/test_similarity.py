"""Similarity of noised motions: of white data it is known; and from files to a record, on every backbone."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from motionrft.backbones.io import build_backbone, save_backbone
from motionrft.backbones.principal import PrincipalComponents
from motionrft.cli import main
from motionrft.configuration import available, load_run
from motionrft.corpus.dataset import Batch
from motionrft.corpus.store import FeatureStore
from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.schedules import step_table
from motionrft.files import read_table
from motionrft.finetune.analysis.similarity import POINTS, noised_similarity
from motionrft.finetune.reward_timestep import reward_levels
from motionrft.reward.files import save_network
from motionrft.reward.network import RewardNetwork
from motionrft.reward.network_settings import NetworkSettings
from tests.evaluation.small_corpus import write_store, write_text

from ..toy_run import MLD, Network, Reward, prompts

DIMS = {"kinematic": 263, "joint": 66, "rotation": 135}
REWARD = {
    "latent_dim": 8, "unified_dim": 8, "layers": 1, "heads": 2, "feedforward": 8, "text_layers": 1,
    "text_heads": 2, "text_feedforward": 8, "projection_hidden": 8, "patch": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """features/, text.safetensors and semantic.safetensors (random weights) in one folder."""
    folder = tmp_path_factory.mktemp("files")
    torch.manual_seed(0)
    write_store(folder / "features", train=8, held=8)
    text = write_text(folder / "text.safetensors")
    network = RewardNetwork(NetworkSettings.read(REWARD, DIMS, text.token_dim))
    about = {"noise": {"max_t": 500}, "official": {"no_clean_token": False}}
    save_network(folder / "semantic.safetensors", network, about)
    return folder


@pytest.mark.parametrize("name", available("backbones"))
def test_every_backbone_has_its_similarity_recorded(files, tmp_path, name):
    run = {
        "name": "t",
        "corpus": {"kind": "toy"},
        "backbones": [name],
        "methods": ["easytune"],
        "reward": {"weights": {"semantic": 1.0, "preference": 0.0, "authenticity": 0.0}},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(run), encoding="utf-8")
    settings = load_run(tmp_path / "run.yaml")["backbones"][name]
    representation = settings["representation"]
    dim, widths = DIMS[representation], {"pooled": 8, "tokens": 8}
    normaliser = FeatureStore(files / "features").normaliser(representation)
    torch.manual_seed(0)
    backbone = build_backbone(settings, dim=dim, text=widths, normaliser=normaliser)
    for part in backbone.modules():
        if isinstance(part, PrincipalComponents):  # taken from motions, not drawn
            motions = torch.randn(len(part.loadings) + 8, 49, dim)
            lengths = torch.full((len(motions),), 49)
            names = [""] * len(motions)
            part.fit([Batch(motions, lengths, names, names)])
    about = {"backbone": settings, "dim": dim, "text": widths}
    save_backbone(tmp_path / "base.safetensors", backbone, about)
    words = [
        *("analyse", "similarity", "--config", str(tmp_path / "run.yaml"), "--device", "cpu"),
        *("--backbone", name, "--method", "easytune", "--rows", "3"),
        *("--base", str(tmp_path / "base.safetensors"), "--features", str(files / "features")),
        *("--reward", str(files / "semantic.safetensors"), "--text", str(files / "text.safetensors")),
        *("--out", str(tmp_path / "similarity.parquet")),
    ]  # fmt: skip
    assert main(words) == 0
    frame, _ = read_table(tmp_path / "similarity.parquet")
    cosines = frame[frame["name"].eq("cosine")]
    assert cosines["value"].map(math.isfinite).all()
    noised = cosines[cosines["what"].eq("noised")]
    assert 1 < noised["step"].nunique() <= POINTS
    last = noised[noised["step"].eq(noised["step"].max())]  # no noise is left: the motion itself
    assert float(last["noise"].max()) < 0.1
    assert float(last["value"].min()) > 0.95


def test_noised_similarity_of_white_data_follows_the_signal():
    table = step_table({**MLD, "steps": 30}, "epsilon")
    network, reward = Network(), Reward()
    network.to_features = lambda x, lengths: x
    rows = 12
    batch = prompts(0, rows)
    features = torch.randn(rows, 600, 4, generator=torch.Generator().manual_seed(3))
    lengths = torch.full((rows,), 600)
    levels = reward_levels(table, reward.alphas, 500, rescale=True)

    class WithM2M(Reward):
        def forward(self, features, lengths, context, t):
            return {"m2m": t.float()}

    frame = noised_similarity(
        network,
        Sampler(network, table, 1.0),
        WithM2M(),
        levels,
        Batch(features, lengths, [""] * rows, [""] * rows),
        batch,
    )
    raw = (
        frame[(frame["what"] == "noised") & (frame["name"] == "cosine")]
        .groupby("step")["value"]
        .mean()
    )
    assert len(raw) == 16
    np.testing.assert_allclose(raw, [float(table.signal[i]) for i in raw.index], atol=0.02)
    half = (
        frame[(frame["what"] == "noised") & (frame["name"] == "half_cosine")]
        .groupby("step")["value"]
        .mean()
    )
    np.testing.assert_allclose(half, (1 + raw) / 2)
    timesteps = (
        frame[(frame["what"] == "noised") & (frame["name"] == "embedding")]
        .groupby("step")["value"]
        .mean()
    )
    assert list(timesteps) == [levels[i].t for i in timesteps.index]
    assert (frame[frame["what"] == "one_step"]["step"] < 30).all()
