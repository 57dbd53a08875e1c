"""Two samples files as comparisons for a person: motions of the same captions, side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from motionrft.corpus.samples import Samples, read_samples
from motionrft.errors import InputError
from motionrft.files import file_digest
from motionrft.motion.skeleton import SKELETONS, Skeleton
from motionrft.player.preferences import Comparison, write_preferences


def compare_samples(
    first: str | Path, second: str | Path, out: str | Path, *, pairs: int = 40, seed: int = 0
) -> int:
    """Writes the page of up to `pairs` comparisons, drawn from `seed`, of two files that `sample` or `evaluate`
    wrote; how many it holds. Equal motions are no comparison."""
    samples = read_samples(first), read_samples(second)
    skeleton = _skeleton(samples[0], first)
    if _skeleton(samples[1], second) is not skeleton:
        raise InputError("another skeleton", where=second, fix="name samples of the same corpus")
    found = comparisons(*samples)
    if not found:
        raise InputError(
            f"no caption has one motion here and another in {first}",
            where=second,
            fix="sample both models for the same prompts (the same corpus, --prompts and --seed)",
        )
    chosen = np.random.default_rng([seed, 67]).permutation(len(found))[:pairs]
    files = ((str(first), file_digest(first)), (str(second), file_digest(second)))
    write_preferences(
        out, files, [found[place] for place in chosen], skeleton, skeleton.fps, seed=seed
    )
    return len(chosen)


def comparisons(first: Samples, second: Samples) -> list[Comparison]:
    """Each prompt (clip and caption) of `first` that `second` has too, where the motions differ; its first motion of
    each."""
    rows = {key: row for row, key in reversed([*enumerate(_prompts(second))])}
    found, seen = [], set()
    for row, key in enumerate(_prompts(first)):
        other = rows.get(key)
        if other is None or key in seen:
            continue
        seen.add(key)
        joints = (first.joints[row], second.joints[other])
        if not torch.equal(*joints):
            found.append(Comparison(key[1], (row, other), joints))
    return found


def _prompts(samples: Samples) -> list[tuple[str, str]]:
    return list(zip(samples.clips, samples.captions, strict=True))


def _skeleton(samples: Samples, where: str | Path) -> Skeleton:
    """By the number of joints."""
    count = samples.joints[0].shape[1] if samples.joints else 0
    for skeleton in SKELETONS.values():
        if len(skeleton) == count:
            return skeleton
    raise InputError(f"motions of {count} joints", where=where, fix="name a samples file")
