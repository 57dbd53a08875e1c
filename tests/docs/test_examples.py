"""The worked examples of docs/extend.md, taken from the page, put in place and run."""

import importlib
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from motionrft.backbones import family
from motionrft.backbones.base import Condition
from motionrft.backbones.generate import sampler_of
from motionrft.backbones.io import build_backbone
from motionrft.cli import main
from motionrft.configuration import dump, files, resolve, schema
from motionrft.corpus.dataset import Batch
from motionrft.corpus.kinds.toy import make_clip
from motionrft.corpus.store import Corpus
from motionrft.diffusion.sampler import SeededNoise
from motionrft.finetune.loop import Training
from motionrft.motion.normaliser import Normaliser
from motionrft.reward.motion_reward import MotionReward
from motionrft.reward.network import RewardNetwork
from motionrft.reward.network_settings import NetworkSettings
from motionrft.text.features import TextBatch
from tests.docs import examples
from tests.finetune.toy_run import toy_run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def added(tmp_path, monkeypatch):
    """The page's files in their places: a copy of the configuration, and the packages' search paths extended."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    shutil.copytree(ROOT / "workflow" / "schemas", tmp_path / "workflow" / "schemas")
    examples.add_files(tmp_path)
    monkeypatch.setattr(files, "ROOT", tmp_path)
    monkeypatch.setattr(schema, "SCHEMAS", tmp_path / "workflow" / "schemas")
    schema.read_schema.cache_clear()
    modules = [
        ".".join(Path(name.removesuffix("/__init__.py")).with_suffix("").parts)
        for name in examples.FILES
        if name.endswith(".py")
    ]
    for name in modules:
        folder = importlib.import_module(name.rpartition(".")[0])
        path = [*folder.__path__, str(tmp_path / folder.__name__.replace(".", "/"))]
        monkeypatch.setattr(folder, "__path__", path)
    yield tmp_path
    for name in modules:
        sys.modules.pop(name, None)
    schema.read_schema.cache_clear()


def texts(rows, width):
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randn(rows, 3, width, generator=generator)
    return TextBatch(
        tokens.mean(1), tokens, torch.ones(rows, 3, dtype=torch.bool), torch.full((rows,), 2)
    )


def test_every_example_is_short():
    code = [name for name in examples.FILES if name.endswith(".py")]
    assert len(code) == 7
    for name, text in examples.FILES.items():
        written = [line for line in text.splitlines() if line.strip()]
        assert len(written) < 40, f"{name}: {len(written)} lines"


def test_a_backbone(added):
    run = resolve(
        {"name": "t", "corpus": {"kind": "toy"}, "backbones": ["recurrent"], "methods": []}
    )
    settings = run["backbones"]["recurrent"]
    torch.manual_seed(0)
    normaliser = Normaliser(torch.zeros(263), torch.ones(263))
    backbone = build_backbone(
        settings, dim=263, text={"pooled": 8, "tokens": 8}, normaliser=normaliser
    )
    assert type(backbone) is family("recurrent")
    words = texts(4, 8)
    lengths = torch.tensor([12, 8, 12, 4])
    clean = backbone.to_features(torch.randn(4, 12, 263), lengths)
    batch = Batch(clean, lengths, [""] * 4, [""] * 4)
    condition = Condition.of(words, words.select(slice(0, 1)), lengths)
    optimiser = torch.optim.Adam(backbone.parameters(), 1e-2)
    losses = []
    for step in range(30):
        generator = torch.Generator().manual_seed(step)
        loss = backbone.pretrain_loss(batch, condition, "denoiser", generator)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    sampler = sampler_of(backbone, settings["sampler"])
    with torch.no_grad():
        x = sampler.sample(
            condition, SeededNoise([0, 1, 2, 3], backbone.sample_shape(12), torch.device("cpu"))
        )
    assert x.shape == (4, 12, 263)
    assert torch.isfinite(x).all()


def test_a_method(added, tmp_path):
    section = files.part("methods", "late", "test")
    run = toy_run(
        section, {"trajectories": 3, "validate_every": 0, "select": "last"}, sampler="ddim"
    )
    assert run.method.gap == 1  # ten of fifty, on five steps
    before = [parameter.detach().clone() for parameter in run.trained]
    record = Training(run, tmp_path / "checkpoint.pt").run()
    assert record["update"].max() == 6
    assert any(not torch.equal(a, b) for a, b in zip(before, run.trained, strict=True))
    steps = record[record["name"].eq("step")]["value"].tolist()
    assert steps == [3.0, 4.0] * 3


def test_a_reward_term(added):
    torch.manual_seed(0)
    sizes = {
        "latent_dim": 8, "unified_dim": 8, "layers": 1, "heads": 2, "feedforward": 8, "text_layers": 1,
        "text_heads": 2, "text_feedforward": 8, "projection_hidden": 8,
    }  # fmt: skip
    network = RewardNetwork(
        NetworkSettings({"kinematic": 263, "joint": 66, "rotation": 135}, 8, **sizes)
    )
    reward = MotionReward(network, {}, {"semantic": 1.0, "steady": 0.1})
    lengths = torch.tensor([12, 8])
    context = reward.context(texts(2, 8), None, lengths, "joint")
    still = torch.ones(2, 12, 66, requires_grad=True)
    shaking = (still + torch.randn(2, 12, 66)).detach().requires_grad_()
    assert torch.equal(reward(still, lengths, context)["steady"], torch.zeros(2))
    scores = reward(shaking, lengths, context)
    assert (scores["steady"] < 0).all()
    assert torch.allclose(scores["total"], scores["semantic"] + 0.1 * scores["steady"])
    scores["total"].sum().backward()
    assert shaking.grad[0].abs().sum() > 0
    assert (shaking.grad[1, 8:] == 0).all()  # nothing after a motion's end counts


def test_a_corpus(added, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for index in range(6):
        joints, captions = make_clip(index, {"seed": 0})[:2]
        np.save(folder / f"{index}.npy", joints)
        (folder / f"{index}.txt").write_text("\n".join(captions), encoding="utf-8")
    np.save(folder / "short.npy", joints[:3])
    (folder / "short.txt").write_text("too short", encoding="utf-8")
    run = {
        "name": "t",
        "corpus": {"kind": "arrays", "folder": str(folder)},
        "backbones": ["mdm"],
        "methods": [],
    }
    file = tmp_path / "run.yaml"
    file.write_text(dump(resolve(run)), encoding="utf-8")
    assert main(["corpus", "--config", str(file), "--out", str(tmp_path / "corpus")]) == 0
    corpus = Corpus(tmp_path / "corpus")
    assert corpus.clips["clip"].tolist() == [str(index) for index in range(6)]
    assert set(corpus.clips["split"]) == {"train", "val", "test"}
    assert "short.npy" in corpus.about["skipped"][0]
