"""Motions of the corpus and of generators in all three representations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from motionrft.corpus.samples import Samples
from motionrft.corpus.store import FeatureStore
from motionrft.errors import InputError
from motionrft.motion.representation import JOINT, KINEMATIC, ROTATION

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
        encoded = {KINEMATIC: features}
        for name in (JOINT, ROTATION):
            encoded[name] = store.representation(name).from_canonical(canonical, frames)  # type: ignore[attr-defined]
    return [
        {name: values[index, : int(count)].numpy() for name, values in encoded.items()}
        for index, count in enumerate(frames)
    ]


def sample_motions(store: FeatureStore, samples: Samples) -> Iterator[dict[str, np.ndarray]]:
    """The three representations of generated motions; a generator's own features are kept as they are."""
    for begin in range(0, len(samples), BATCH):
        part = slice(begin, begin + BATCH)
        joints = [motion.numpy() for motion in samples.joints[part]]
        for encoded, native in zip(features_of(store, joints), samples.features[part], strict=True):
            yield {**encoded, samples.representation: native.numpy()}


def real_joints(store: FeatureStore, row: int) -> np.ndarray:
    """[T, J, 3] of a clip, canonical, as the joint representation holds it."""
    clip = store.clips.iloc[row]
    values = store.features(JOINT)[clip["start"] : clip["start"] + clip["frames"]]
    return np.array(values).reshape(len(values), -1, 3)


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


def splits_of(store: FeatureStore) -> dict[str, tuple[str, int]]:
    """clip -> (split, row)."""
    names = store.clips["clip"].tolist()
    return dict(zip(names, zip(store.clips["split"], range(len(names)), strict=True), strict=True))


def split_and_row(
    known: dict[str, tuple[str, int]], clip: str, samples: Samples
) -> tuple[str, int]:
    if clip not in known:
        raise InputError(
            f"samples of {samples.generator} name clip {clip!r}, which the features do not hold",
            field="clips",
            fix="use samples and features of one corpus",
        )
    return known[clip]
