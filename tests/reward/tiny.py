"""A tiny corpus of features in three representations, its captions' features, labelled motions, and a tiny network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from motionrft.corpus.store import FeatureStore
from motionrft.files import write_table, write_tensors
from motionrft.motion.normaliser import Normaliser
from motionrft.reward.data.clips import AlignedClips
from motionrft.reward.data.labelled import (
    LabelledMotion,
    LabelledMotions,
    MotionPair,
    write_labelled,
)
from motionrft.reward.network import RewardNetwork
from motionrft.reward.network_settings import NetworkSettings
from motionrft.reward.settings import RewardSettings
from motionrft.reward.stage import Training
from motionrft.text.cache_writer import write_cache
from motionrft.text.features import TextBatch

DIMS = {"kinematic": 263, "joint": 66, "rotation": 135}
TOKENS = 12
RNG = np.random.default_rng(0)
# leaves joint features as they are
IDENTITY = {"joint": Normaliser(torch.zeros(66), torch.ones(66))}


def write_store(folder: Path, clips: int = 60, kinds: int = 6, seed: int = 0) -> None:
    """Sinusoids whose frequencies and directions tell the kind, which the captions name."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    mixing = {name: rng.normal(size=(4, dim)) for name, dim in DIMS.items()}
    parts: dict[str, list[np.ndarray]] = {name: [] for name in DIMS}
    rows, start = [], 0
    for index in range(clips):
        kind, frames = index % kinds, int(rng.integers(41, 61))
        phase = np.arange(frames)[:, None] * 0.1 * (1 + kind) + rng.uniform(0, 6)
        latent = np.sin(phase * np.array([1.0, 1.3, 1.7, 2.1])) + np.eye(kinds)[kind, :4]
        for name in DIMS:
            parts[name].append((latent @ mixing[name]).astype(np.float32))
        split = ("train", "train", "train", "val", "test")[index // kinds % 5]
        rows.append(
            {"clip": f"c{index:03d}", "start": start, "frames": frames, "split": split,
             "captions": [f"kind {kind}", f"someone does kind {kind}"], "mirror_of": "", "source": ""}
        )  # fmt: skip
        start += frames
    stats = {}
    for name, arrays in parts.items():
        joined = np.concatenate(arrays)
        np.save(folder / f"{name}.npy", joined)
        stats[f"{name}.mean"] = torch.from_numpy(joined.mean(0))
        stats[f"{name}.std"] = torch.from_numpy(joined.std(0))
    write_tensors(folder / "stats.safetensors", stats, {})
    write_table(folder / "clips.parquet", pd.DataFrame(rows), {})


def write_text(path: Path, kinds: int = 6) -> None:
    captions = [""] + [f"{start}kind {k}" for start in ("", "someone does ") for k in range(kinds)]
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(kinds + 1, TOKENS, generator=generator)
    rows = [0] + [1 + k for _ in range(2) for k in range(kinds)]
    pooled = torch.nn.functional.normalize(base[rows], dim=-1)
    tokens = base[rows][:, None] + 0.1 * torch.randn(len(rows), 3, TOKENS, generator=generator)
    mask = torch.ones(len(rows), 3, dtype=torch.bool)
    batch = TextBatch(pooled, tokens, mask, torch.full((len(rows),), 2))
    write_cache(path, captions, [batch], {})


def section(**changes) -> dict:
    """A `reward:` section at a size for tests."""
    train = {
        "steps": 8,
        "batch_size": 12,
        "lr": 2e-3,
        "clip": 1.0,
        "validate_every": 4,
        "checkpoint_every": 4,
        "checkpoint_minutes": 0,
    }
    value = {
        "text": "toy",
        "network": {
            "latent_dim": 16, "unified_dim": 16, "layers": 1, "heads": 2, "feedforward": 32,
            "text_layers": 1, "text_heads": 2, "text_feedforward": 32, "projection_hidden": 16,
            "projection_layers": 2, "dropout": 0.0, "patch": 4,
        },
        "initial_logvar": -4.0,
        "losses": {"contrastive": 1.0, "alignment": 1.0},
        "lora": {"rank": 4, "alpha": 8, "dropout": 0.0},
        "stages": {
            "semantic": {"train": dict(train)},
            "preference": {"train": dict(train), "data": {"clips": 0}},
            "authenticity": {"train": dict(train), "data": {"held_out": []}},
            "spl": {"train": dict(train), "k": 2, "every": 2},
        },
        "weights": {"semantic": 1.0, "m2m": 1.0, "preference": 2e-4, "authenticity": 2e-4},
    }  # fmt: skip
    return {**value, **changes}


def tiny_network(seed: int = 0, **changes) -> RewardNetwork:
    torch.manual_seed(seed)
    sizes = {
        "latent_dim": 8, "unified_dim": 16, "layers": 3, "heads": 2, "feedforward": 24,
        "text_layers": 1, "text_heads": 2, "text_feedforward": 16, "projection_hidden": 12,
        "projection_layers": 2, "dropout": 0.1,
    }  # fmt: skip
    return RewardNetwork(NetworkSettings(DIMS, TOKENS, **{**sizes, **changes})).eval()


def random_motion(frames: int) -> np.ndarray:
    """Raw joint features [T, 66]."""
    return RNG.normal(size=(frames, DIMS["joint"])).astype(np.float32)


def shake(branch) -> None:
    """Non-zero B, so that the adapter does something."""
    with torch.no_grad():
        for parameter in branch.trained():
            parameter.add_(0.1 * torch.randn_like(parameter))


def clips_of(corpus: Path, split: str) -> AlignedClips:
    return AlignedClips(corpus / "features", tuple(DIMS), split)


def training(corpus: Path, checkpoint: Path, value: dict, **options) -> Training:
    """Of a stage on the tiny corpus, with a `reward:` section."""
    settings = RewardSettings.read(value)
    features, text = corpus / "features", corpus / "text.safetensors"
    return Training(settings, features, text, checkpoint, **options)


def write_labels(folder: Path, corpus: Path, stage: str) -> LabelledMotions:
    """Pairs of a clip and its bloated, noisy copy; or both as real and generated."""
    store = FeatureStore(corpus / "features")
    rng = np.random.default_rng(0)
    items: list[LabelledMotion | MotionPair] = []
    for _, clip in store.clips.iterrows():
        part = slice(clip["start"], clip["start"] + clip["frames"])
        real = {name: np.array(store.features(name)[part]) for name in DIMS}
        damaged = {
            name: 2 * v + v.std(0) * rng.normal(size=v.shape).astype(np.float32)
            for name, v in real.items()
        }
        generator = "noise" if stage == "authenticity" else ""
        better = LabelledMotion(real, clip["split"], clip["clip"])
        worse = LabelledMotion(damaged, clip["split"], clip["clip"], generator)
        pairs = stage == "preference"
        items += [MotionPair(better, worse, "noise", 1)] if pairs else [better, worse]
    write_labelled(folder, items, stage, {"labels": "made, not human"})
    return LabelledMotions(folder, stage, {name: store.normaliser(name) for name in DIMS})
