"""Real against generated motions, with generators that training never sees.

A clip and everything made from its caption stay in the clip's own split of the corpus.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from motionrft.corpus.samples import Samples
from motionrft.corpus.store import SPLITS, FeatureStore
from motionrft.errors import InputError
from motionrft.reward.data.features import (
    equally_long,
    real_features,
    sample_motions,
    split_and_row,
    splits_of,
)
from motionrft.reward.data.labelled import HELD_OUT, LabelledMotion


def authenticity_items(
    store: FeatureStore, samples: Sequence[Samples], held_out: Sequence[str]
) -> Iterator[LabelledMotion]:
    """Generated motions and, once each, the real motions of their captions.

    Generators named in `held_out` go into the split of that name only, with real test motions beside
    them, so that training never sees them.
    """
    known = splits_of(store)
    names = {entry.generator for entry in samples}
    unknown = sorted(set(held_out) - names)
    if unknown:
        raise InputError(
            f"no samples of held-out generator {unknown[0]!r}",
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
        for clip, motion in zip(entry.clips, sample_motions(store, entry), strict=True):
            split, row = split_and_row(known, clip, entry)
            if unseen and split != "test":
                continue
            split = HELD_OUT if unseen else split
            splits.add(split)
            real, generated = equally_long(real_features(store, row), motion)
            yield LabelledMotion(generated, split, clip, entry.generator)
            if (split, clip) not in seen:
                seen.add((split, clip))
                yield LabelledMotion(real, split, clip)
    lacking = [split for split in SPLITS if split not in splits]
    if lacking:
        raise InputError(
            f"no sample of a caption of the {lacking[0]} split",
            where=", ".join(str(entry.about.get("path", entry.generator)) for entry in samples),
            fix="sample captions of all three splits",
        )


def with_real(store: FeatureStore, generated: Iterator[LabelledMotion]) -> Iterator[LabelledMotion]:
    """Generated motions of official files and all real clips of the corpus, each in its own split; beside
    held-out generators stand the real test clips once more."""
    splits = set()
    for motion in generated:
        splits.add(motion.split)
        yield motion
    for row in range(len(store.clips)):
        clip = store.clips.iloc[row]
        features = real_features(store, row)
        yield LabelledMotion(features, clip["split"], clip["clip"])
        if HELD_OUT in splits and clip["split"] == "test":
            yield LabelledMotion(features, HELD_OUT, clip["clip"])
