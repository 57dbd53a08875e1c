"""Data for the preference and authenticity stages, made from real clips and generated samples.

Nothing here is a human label, and `about` says so: pairs are a real motion and a damaged copy (or a
generated motion of the same caption); authenticity is real against generated, with generators that
training never sees. A clip and everything made from it stay in the clip's own split of the corpus.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from motionrft.corpus.samples import Samples
from motionrft.corpus.store import SPLITS, FeatureStore
from motionrft.errors import InputError
from motionrft.motion.representation import JOINT, KINEMATIC, ROTATION
from motionrft.reward.data.corruptions import GRADES, KINDS, corrupt
from motionrft.reward.data.judged import HELD_OUT, Judged, JudgedPair

BATCH = 64


def features_of(store: FeatureStore, motions: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Joint motions [T_i, J, 3] -> the three representations, T_i - 1 frames each, of one motion alike."""
    lengths = torch.tensor([len(motion) for motion in motions])
    joints = torch.zeros(len(motions), int(lengths.max()), *motions[0].shape[1:])
    for index, motion in enumerate(motions):
        joints[index, : len(motion)] = torch.from_numpy(np.ascontiguousarray(motion))
    kinematic = store.representation(KINEMATIC)
    with torch.no_grad():
        features, frames = kinematic.encode(joints, lengths)
        canonical = kinematic.decode(features)
        found = {KINEMATIC: features}
        for name in (JOINT, ROTATION):
            found[name] = store.representation(name).from_canonical(canonical, frames)  # type: ignore[attr-defined]
    return [
        {name: values[index, : int(count)].numpy() for name, values in found.items()}
        for index, count in enumerate(frames)
    ]


def chosen_rows(store: FeatureStore, clips: int, seed: int, min_frames: int = 41) -> list[int]:
    """Up to `clips` rows of the store, drawn without replacement; 0 = all."""
    rows = np.flatnonzero(store.clips["frames"].to_numpy() >= min_frames)
    order = np.random.default_rng([seed, 11]).permutation(rows)
    return order[: clips or None].tolist()


def real_joints(store: FeatureStore, row: int) -> np.ndarray:
    """[T, J, 3] of a clip, canonical, as the joint representation holds it."""
    clip = store.clips.iloc[row]
    values = store.features(JOINT)[clip["start"] : clip["start"] + clip["frames"]]
    return np.array(values).reshape(len(values), -1, 3)


def corruption_pairs(
    store: FeatureStore, clips: int, seed: int, max_frames: int = 197
) -> Iterator[JudgedPair]:
    """One pair a clip: kinds in turn, the worse motion of grade 1 … 3, the better one real, or in a third of
    the pairs damaged in the same way by a lower grade."""
    rows = chosen_rows(store, clips, seed)
    kinds = list(KINDS)
    for begin in range(0, len(rows), BATCH):
        plans, motions = [], []
        for place, row in enumerate(rows[begin : begin + BATCH], start=begin):
            rng = np.random.default_rng([seed, 12, row])
            kind = kinds[place % len(kinds)]
            grade = int(rng.integers(1, len(GRADES) + 1))
            lower = int(rng.integers(1, grade)) if grade > 1 and rng.integers(3) == 0 else 0
            joints = real_joints(store, row)[:max_frames]
            motions += [corrupt(joints, kind, level, [seed, 13, row]) for level in (lower, grade)]
            plans.append((row, kind, grade))
        found = features_of(store, motions)
        for (row, kind, grade), better, worse in zip(plans, found[::2], found[1::2], strict=True):
            clip = store.clips.iloc[row]
            real, damaged = (
                Judged(values, clip["split"], clip["clip"]) for values in (better, worse)
            )
            yield JudgedPair(real, damaged, kind, grade)


def sample_motions(store: FeatureStore, samples: Samples) -> Iterator[dict[str, np.ndarray]]:
    """The three representations of generated motions; a generator's own features are kept as they are."""
    for begin in range(0, len(samples), BATCH):
        part = slice(begin, begin + BATCH)
        joints = [motion.numpy() for motion in samples.joints[part]]
        for found, native in zip(features_of(store, joints), samples.features[part], strict=True):
            yield {**found, samples.representation: native.numpy()}


def splits_of(store: FeatureStore) -> dict[str, tuple[str, int]]:
    """clip -> (split, row)."""
    names = store.clips["clip"].tolist()
    return dict(zip(names, zip(store.clips["split"], range(len(names)), strict=True), strict=True))


def real_features(store: FeatureStore, row: int) -> dict[str, np.ndarray]:
    clip = store.clips.iloc[row]
    part = slice(clip["start"], clip["start"] + clip["frames"])
    return {name: np.array(store.features(name)[part]) for name in (KINEMATIC, JOINT, ROTATION)}


def equally_long(
    real: dict[str, np.ndarray], generated: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Both cut to the shorter of the two, so that no length tells which is which."""
    frames = min(len(values) for side in (real, generated) for values in side.values())
    cut_real, cut_generated = (
        {name: values[:frames] for name, values in side.items()} for side in (real, generated)
    )
    return cut_real, cut_generated


def generated_pairs(store: FeatureStore, samples: Sequence[Samples]) -> Iterator[JudgedPair]:
    """(real motion of the caption, generated motion): kind `generated:<generator>`."""
    known = splits_of(store)
    for entry in samples:
        for clip, found in zip(entry.clips, sample_motions(store, entry), strict=True):
            split, row = _place(known, clip, entry)
            real, generated = equally_long(real_features(store, row), found)
            better = Judged(real, split, clip)
            worse = Judged(generated, split, clip, entry.generator)
            yield JudgedPair(better, worse, kind=f"generated:{entry.generator}")


def preference_items(
    store: FeatureStore, samples: Sequence[Samples], *, clips: int, seed: int
) -> Iterator[JudgedPair]:
    """Corruption pairs, and where samples are given, real against generated ones."""
    yield from corruption_pairs(store, clips, seed)
    yield from generated_pairs(store, samples)


def with_real(store: FeatureStore, generated: Iterator[Judged]) -> Iterator[Judged]:
    """Generated motions of official files and all real clips of the corpus, each in its own split; beside
    held-out generators stand the real test clips once more."""
    splits = set()
    for motion in generated:
        splits.add(motion.split)
        yield motion
    for row in range(len(store.clips)):
        clip = store.clips.iloc[row]
        features = real_features(store, row)
        yield Judged(features, clip["split"], clip["clip"])
        if HELD_OUT in splits and clip["split"] == "test":
            yield Judged(features, HELD_OUT, clip["clip"])


def authenticity_items(
    store: FeatureStore, samples: Sequence[Samples], held_out: Sequence[str]
) -> Iterator[Judged]:
    """Generated motions and, once each, the real motions of their captions.

    Generators named in `held_out` go into the split of that name only, with real test motions beside
    them, so that training never sees them.
    """
    known = splits_of(store)
    names = {entry.generator for entry in samples}
    strangers = sorted(set(held_out) - names)
    if strangers:
        raise InputError(
            f"no samples of held-out generator {strangers[0]!r}",
            field="held_out",
            fix=f"choose from {', '.join(sorted(names))}",
        )
    if not names - set(held_out):
        raise InputError(
            "every generator is held out", field="held_out", fix="leave one for training"
        )
    seen: set[tuple[str, str]] = set()
    splits: set[str] = set()
    for entry in samples:
        unseen = entry.generator in held_out
        for clip, found in zip(entry.clips, sample_motions(store, entry), strict=True):
            split, row = _place(known, clip, entry)
            if unseen and split != "test":
                continue
            split = HELD_OUT if unseen else split
            splits.add(split)
            real, generated = equally_long(real_features(store, row), found)
            yield Judged(generated, split, clip, entry.generator)
            if (split, clip) not in seen:
                seen.add((split, clip))
                yield Judged(real, split, clip)
    lacking = [split for split in SPLITS if split not in splits]
    if lacking:
        raise InputError(
            f"no sample of a caption of the {lacking[0]} split",
            where=", ".join(str(entry.about.get("path", entry.generator)) for entry in samples),
            fix="sample captions of all three splits",
        )


def _place(known: dict[str, tuple[str, int]], clip: str, samples: Samples) -> tuple[str, int]:
    if clip not in known:
        raise InputError(
            f"samples of {samples.generator} name clip {clip!r}, which the features do not hold",
            field="clips",
            fix="use samples and features of one corpus",
        )
    return known[clip]


def describe(kind: str, samples: Sequence[Samples], held_out: Sequence[str]) -> dict[str, object]:
    """What every table made from the data has to say of it."""
    return {
        "labels": "made, not human",
        "source": "graded corruptions of real clips"
        if kind == "preference"
        else "real and generated",
        "generators": sorted({entry.generator for entry in samples}),
        "held_out": sorted(held_out),
    }


def samples_of(paths: Sequence[Path]) -> list[Samples]:
    from motionrft.corpus.samples import read_samples

    return [read_samples(path) for path in paths]
