"""Preference pairs without human labels: a real motion and a damaged copy, or a generated motion of the same caption.

A clip and everything made from it stay in the clip's own split of the corpus.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from motionrft.corpus.samples import Samples
from motionrft.corpus.store import FeatureStore
from motionrft.reward.data.corruptions import GRADES, KINDS, corrupt
from motionrft.reward.data.features import (
    BATCH,
    equally_long,
    features_of,
    real_features,
    real_joints,
    sample_motions,
    split_and_row,
    splits_of,
)
from motionrft.reward.data.labelled import LabelledMotion, MotionPair


def chosen_rows(store: FeatureStore, clips: int, seed: int, min_frames: int = 41) -> list[int]:
    """Up to `clips` rows of the store, drawn without replacement; 0 = all."""
    rows = np.flatnonzero(store.clips["frames"].to_numpy() >= min_frames)
    order = np.random.default_rng([seed, 11]).permutation(rows)
    return [int(row) for row in order[: clips or None]]


def corruption_pairs(
    store: FeatureStore, clips: int, seed: int, max_frames: int = 197
) -> Iterator[MotionPair]:
    """One pair a clip: kinds in turn, the worse motion of grade 1 … 3, the better one real, or in a third of
    the pairs damaged in the same way by a lower grade."""
    rows = chosen_rows(store, clips, seed)
    kinds = list(KINDS)
    for begin in range(0, len(rows), BATCH):
        damages, motions = [], []
        for index, row in enumerate(rows[begin : begin + BATCH], start=begin):
            rng = np.random.default_rng([seed, 12, row])
            kind = kinds[index % len(kinds)]
            grade = int(rng.integers(1, len(GRADES) + 1))
            lower = int(rng.integers(1, grade)) if grade > 1 and rng.integers(3) == 0 else 0
            joints = real_joints(store, row)[:max_frames]
            motions += [corrupt(joints, kind, level, [seed, 13, row]) for level in (lower, grade)]
            damages.append((row, kind, grade))
        encoded = features_of(store, motions)
        for (row, kind, grade), better, worse in zip(
            damages, encoded[::2], encoded[1::2], strict=True
        ):
            clip = store.clips.iloc[row]
            real, damaged = (
                LabelledMotion(values, clip["split"], clip["clip"]) for values in (better, worse)
            )
            yield MotionPair(real, damaged, kind, grade)


def generated_pairs(store: FeatureStore, samples: Sequence[Samples]) -> Iterator[MotionPair]:
    """(real motion of the caption, generated motion): kind `generated:<generator>`."""
    known = splits_of(store)
    for entry in samples:
        for clip, motion in zip(entry.clips, sample_motions(store, entry), strict=True):
            split, row = split_and_row(known, clip, entry)
            real, generated = equally_long(real_features(store, row), motion)
            better = LabelledMotion(real, split, clip)
            worse = LabelledMotion(generated, split, clip, entry.generator)
            yield MotionPair(better, worse, kind=f"generated:{entry.generator}")
