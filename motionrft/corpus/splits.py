"""Which clips train, select and score: seeded fractions, and whether each split has enough of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from motionrft.corpus.store import SPLITS
from motionrft.errors import InputError


def seeded_splits(count: int, splits: Mapping[str, float], seed: int) -> list[str]:
    """A seeded assignment of `count` clips to train, val and test."""
    order = np.random.default_rng(seed).permutation(count)
    names = np.empty(count, dtype=object)
    names[order] = ordered_splits(count, splits)
    return list(names)


def ordered_splits(count: int, splits: Mapping[str, float]) -> list[str]:
    """The first clips train, the next select, the last score."""
    bounds = np.cumsum([splits["train"], splits["val"]]) * count
    return [
        "train" if rank < bounds[0] else "val" if rank < bounds[1] else "test"
        for rank in range(count)
    ]


def too_few(clips: pd.DataFrame, frames: int, group: int, where: str) -> InputError | None:
    """What to say unless `train` has a clip, and `val` and `test` fill a group of `group`, of `frames` or more.

    clips: a corpus's table with the columns split and frames.
    """
    long = clips[clips["frames"] >= frames]
    counts = {name: int((long["split"] == name).sum()) for name in SPLITS}
    least = {"train": 1, "val": group, "test": group}
    short = [name for name in SPLITS if counts[name] < least[name]]
    if not short:
        return None
    listed = ", ".join(f"{name} {counts[name]}" for name in SPLITS)
    left = len(clips) - len(long)
    needs = ", ".join(f"{name} needs {least[name]}" for name in short)
    return InputError(
        f"too few clips of at least {frames} frames for a run: {listed}"
        f"{f' ({left} more are shorter)' if left else ''}; {needs}",
        where=where,
        field="corpus.splits",
        fix=f"give {' and '.join(short)} a larger part in corpus.splits, add clips, or lower evaluate.group"
        + _would_do(len(long), group),
    )


def _would_do(clips: int, group: int) -> str:
    """Settings with which so many clips are enough, if any; a sixth of a split is left for chance."""
    held_out = int(clips * 0.3 * 5 / 6)
    fitting = next((size for size in (group, 16, 8, 4) if size <= min(held_out, group)), None)
    if fitting is None:
        return ""
    settings = "corpus: {splits: {train: 0.4, val: 0.3, test: 0.3}}"
    if fitting < group:
        settings += f" and evaluate: {{group: {fitting}}}"
    return f"; in the run file, {settings} would do"
