"""LabelledMotion motions on disk: preference pairs, or real and generated motions. A folder:

<representation>.npy  [F, dim] float32 raw features, memory-mapped
motions.parquet       representation, start, frames, split, clip, generator ("" = real)
pairs.parquet         representation, better, worse (rows of motions.parquet), split, kind, grade
judged.json           kind (preference | authenticity), how the data was made, provenance; written last
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from motionrft.corpus.dataset import UNIT
from motionrft.corpus.store import Packed, packing
from motionrft.errors import InputError
from motionrft.files import atomic_folder, read_json, read_table, write_json, write_table
from motionrft.motion.normaliser import Normaliser
from motionrft.reward.network import OFFICIAL_NAMES

MOTIONS = ("representation", "start", "frames", "split", "clip", "generator")
HELD_OUT = "held_out"  # the split of generators that only test
PAIRS = ("representation", "better", "worse", "split", "kind", "grade")


@dataclass
class LabelledMotion:
    """One motion on its way into the store: features by representation, each [T, dim], raw."""

    features: dict[str, np.ndarray]
    split: str
    clip: str = ""
    generator: str = ""


@dataclass
class MotionPair:
    """Two motions of which the first is to be preferred. kind, grade: how they differ."""

    better: LabelledMotion
    worse: LabelledMotion
    kind: str = ""
    grade: int = 0


class _Writer:
    """Appends motions to one array a representation."""

    def __init__(self, stack: ExitStack, folder: Path):
        self.stack, self.folder = stack, folder
        self.files: dict[str, Packed] = {}
        self.rows: list[dict[str, Any]] = []

    def add(self, motion: LabelledMotion) -> dict[str, int]:
        """Returns the motion's row in each representation."""
        rows = {}
        for name, values in motion.features.items():
            if name not in self.files:
                out = self.stack.enter_context(packing(self.folder / f"{name}.npy"))
                self.files[name] = Packed(out)
                self.files[name].shape = values.shape[1:]
            file = self.files[name]
            check_motion(values, file.shape[0], f"{motion.clip or 'motion'} {len(self.rows)}", name)
            rows[name] = len(self.rows)
            facts = (name, file.rows, len(values), motion.split, motion.clip, motion.generator)
            self.rows.append(dict(zip(MOTIONS, facts, strict=True)))
            file.append(values)
        return rows

    def finish(self) -> None:
        for file in self.files.values():
            file.finish()


def check_motion(values: np.ndarray, dim: int, where: str, representation: str) -> None:
    """An `InputError` unless `values` [T, dim] are finite, and long enough to be a motion."""
    if values.ndim != 2 or values.shape[1] != dim:
        raise InputError(
            f"shape {values.shape}, expected (frames, {dim})",
            where=where,
            field=representation,
            fix="check which representation the file holds",
        )
    if len(values) < UNIT:
        raise InputError(
            f"{len(values)} frames, at least {UNIT} needed",
            where=where,
            field=representation,
            fix="remove the motion",
        )
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise InputError(
            f"NaN or infinite values in frame {bad[0]} ({len(bad)} frames)",
            where=where,
            field=representation,
            fix="repair or remove the motion",
        )


def write_labelled(
    folder: str | Path,
    items: Iterable[LabelledMotion | MotionPair],
    kind: str,
    about: dict[str, Any],
) -> None:
    """Packs motions (authenticity) or pairs (preference) as they come; memory is bounded by one item."""
    owned = [f"{name}.npy" for name in OFFICIAL_NAMES]
    pairs: list[dict[str, Any]] = []
    with (
        atomic_folder(folder, last="judged.json", owned=owned) as temporary,
        ExitStack() as stack,
    ):
        writer = _Writer(stack, temporary)
        for item in items:
            if isinstance(item, LabelledMotion):
                writer.add(item)
                continue
            better, worse = writer.add(item.better), writer.add(item.worse)
            for name in better:
                values = (name, better[name], worse[name], item.better.split, item.kind, item.grade)
                pairs.append(dict(zip(PAIRS, values, strict=True)))
        if not writer.rows:
            raise InputError(
                "no motion among the inputs", where=folder, fix="check the inputs of reward-data"
            )
        writer.finish()
        write_table(temporary / "motions.parquet", pd.DataFrame(writer.rows), about)
        write_table(temporary / "pairs.parquet", pd.DataFrame(pairs, columns=list(PAIRS)), about)
        write_json(temporary / "judged.json", {"kind": kind, **about})


class LabelledMotions:
    """Such a folder, read-only, z-normalised with a corpus's statistics on reading."""

    def __init__(self, folder: str | Path, kind: str, normalisers: dict[str, Normaliser]):
        self.folder = Path(folder)
        self.about = read_json(self.folder / "judged.json")
        if self.about.get("kind") != kind:
            raise InputError(
                f"holds {self.about.get('kind')!r} data",
                where=folder,
                fix=f"make it with reward-data --kind {kind}",
            )
        self.motions, _ = read_table(self.folder / "motions.parquet")
        self.pairs, _ = read_table(self.folder / "pairs.parquet")
        self.normalisers = normalisers
        self.arrays: dict[str, np.ndarray] = {}
        for name in self.motions["representation"].unique():
            self.arrays[name] = np.load(self.folder / f"{name}.npy", mmap_mode="r")
            if name in normalisers and len(normalisers[name].mean) != self.arrays[name].shape[1]:
                raise InputError(
                    f"{self.arrays[name].shape[1]} features a frame, the corpus has {len(normalisers[name].mean)}",
                    where=self.folder / f"{name}.npy",
                    fix="make the data with the features of this corpus",
                )
        columns = ("representation", "start", "frames", "generator")
        self._rows = list(zip(*(self.motions[name].tolist() for name in columns), strict=True))

    def raw(self, row: int) -> Tensor:
        """[T, dim] features as they were written."""
        name, start, frames, _ = self._rows[row]
        return torch.from_numpy(np.array(self.arrays[name][start : start + frames]))

    def normaliser(self, row: int) -> Normaliser:
        """That of the row's representation."""
        return self.normalisers[self._rows[row][0]]

    def generated(self, row: int) -> bool:
        """Whether a generator made the motion."""
        return bool(self._rows[row][3])

    def batch(
        self, rows: Sequence[int], max_frames: int, seeds: Sequence[Sequence[int]] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Features [B, T, dim] with zero padding and true lengths [B], by one rule for every motion:
        lengths are multiples of 4 up to `max_frames`; with `seeds` (one a row) sometimes one unit less and
        cropped at random, without them the leading frames."""
        parts = []
        for index, row in enumerate(rows):
            motion = self.raw(row)
            frames = len(motion)
            length = min(frames, max_frames) // UNIT * UNIT
            begin = 0
            if seeds is not None:
                rng = np.random.default_rng(seeds[index])
                if rng.integers(3) == 0 and length > UNIT:
                    length -= UNIT
                begin = int(rng.integers(frames - length + 1))
            parts.append(self.normaliser(row).normalise(motion[begin : begin + length]))
        return stack_padded(parts, max(len(part) for part in parts))


def stack_padded(parts: list[Tensor], frames: int) -> tuple[Tensor, Tensor]:
    """[B, frames, dim] zero after each part, and lengths [B]."""
    batch = torch.zeros(len(parts), frames, parts[0].shape[1])
    for index, part in enumerate(parts):
        batch[index, : len(part)] = part
    return batch, torch.tensor([len(part) for part in parts])


def labelled_folders(folders: Sequence[Path]) -> dict[str, Path]:
    """The folders by the stage that learns from them."""
    return {str(read_json(folder / "judged.json")["kind"]): folder for folder in folders}
