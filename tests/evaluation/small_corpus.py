"""A feature store of a few synthetic motions that differ by caption, and its text cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn.utils.rnn import pad_sequence

from motionrft.files import write_table, write_tensors
from motionrft.motion.representation import representation
from motionrft.text.cache_writer import write_cache
from motionrft.text.features import TextBatch, TextCache

WORDS = ("walk", "run", "jump", "sit", "wave", "kick", "turn", "bow")


def joints_of(kind: int, frames: int, rng: np.random.Generator) -> torch.Tensor:
    """[T, 22, 3]: a standing body whose joints swing at a rate and with a reach that `kind` decides."""
    body = torch.zeros(22, 3)
    body[:, 0] = torch.linspace(-0.3, 0.3, 22)
    body[:, 1] = torch.linspace(1.7, 0.05, 22)
    body[[1, 13, 16, 18, 20, 4, 7, 10], 0] += 0.4  # left is +x
    body[[2, 14, 17, 19, 21, 5, 8, 11], 0] -= 0.4
    phase = torch.arange(frames)[:, None, None] * (0.1 + 0.05 * kind) + rng.uniform(0, 0.5)
    swing = torch.linspace(0, 6, 66).reshape(1, 22, 3)
    return body + 0.05 * (1 + kind % 3) * torch.sin(phase + swing)


def write_store(folder: Path, *, train: int = 96, held: int = 40, seed: int = 0) -> Path:
    """Raw features of the three representations are consistent; clips.parquet comes with two captions a clip."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    kinematic = representation("kinematic")
    parts, rows, start = {name: [] for name in ("kinematic", "joint", "rotation")}, [], 0
    frames = rng.integers(41, 60, size=train + 2 * held)
    joints = [joints_of(index % len(WORDS), int(n), rng) for index, n in enumerate(frames)]
    features, lengths = kinematic.encode(
        pad_sequence(joints, batch_first=True), torch.tensor(frames)
    )
    canonical = kinematic.decode(features)
    others = {
        name: representation(name).from_canonical(canonical, lengths)
        for name in ("joint", "rotation")
    }
    for index, length in enumerate(lengths.tolist()):
        for name, found in {"kinematic": features, **others}.items():
            parts[name].append(found[index, :length].numpy().astype(np.float32))
        split = "train" if index < train else ("val" if index < train + held else "test")
        word = WORDS[index % len(WORDS)]
        rows.append(
            {"clip": f"c{index:03d}", "start": start, "frames": length, "split": split,
             "captions": [f"a person will {word}", f"someone does {word}"], "mirror_of": "", "source": ""}
        )  # fmt: skip
        start += length
    statistics = {}
    for name, found in parts.items():
        array = np.concatenate(found)
        np.save(folder / f"{name}.npy", array)
        statistics[f"{name}.mean"] = torch.from_numpy(array.mean(0))
        statistics[f"{name}.std"] = torch.from_numpy(array.std(0)).clamp_min(0.05)
    write_tensors(folder / "stats.safetensors", statistics, {})
    write_table(folder / "clips.parquet", pd.DataFrame(rows), {"fps": 20.0})
    return folder


def write_text(path: Path, width: int = 8) -> TextCache:
    """One-hot-ish token states: the word that decides the motion has a state of its own."""
    captions = [
        "",
        *(f"a person will {word}" for word in WORDS),
        *(f"someone does {word}" for word in WORDS),
    ]
    vocabulary = sorted({word for caption in captions for word in caption.split()} | {"<end>"})
    states = torch.randn(len(vocabulary), width, generator=torch.Generator().manual_seed(0))
    batches = []
    for caption in captions:
        rows = [vocabulary.index(word) for word in [*caption.split(), "<end>"]]
        tokens = states[rows][None]
        mask = torch.ones(1, len(rows), dtype=torch.bool)
        batches.append(TextBatch(tokens.mean(1), tokens, mask, torch.tensor([len(rows) - 1])))
    write_cache(path, captions, batches, {"name": "toy", "encoder": {"width": width}})
    return TextCache(path)
