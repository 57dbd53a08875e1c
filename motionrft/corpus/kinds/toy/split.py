"""A split whose test captions do not occur in training: pairs of action and modifier that are seen in the test split alone.

A run of the random split repeats 97 of 100 test captions in training, so that it says nothing of unseen ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from motionrft.corpus.kinds.toy.draw import COUNTS, SPEEDS
from motionrft.corpus.kinds.toy.puppet import SIDES
from motionrft.corpus.splits import ordered_splits
from motionrft.corpus.store import Clip

MODIFIERS = (*filter(None, SPEEDS), *SIDES, *COUNTS.values(), "both")
Pair = tuple[str, str]  # action, modifier


def compositional(
    clips: Sequence[Clip], splits: Mapping[str, float], seed: int
) -> tuple[list[Clip], list[Pair]]:
    """The clips with their splits, and the held-out pairs.

    Each action, in a seeded order, gives one of its modifiers to the test split until that has its part. A clip that
    a caption of says the pair is a test clip, with those of its captions that say it; no other clip of the action has the word.
    """
    held_out, test = held_out_pairs(clips, splits["test"], seed)
    rest = [clip for clip in clips if clip.name not in test]
    seen = splits["train"] + splits["val"]
    parts = {"train": splits["train"] / seen, "val": splits["val"] / seen}
    names = iter(ordered_splits(len(rest), parts))
    made = []
    for clip in clips:
        if clip.name in test:
            word = held_out[action_of(clip)]
            said = [caption for caption in clip.captions if says(caption, word)]
            made.append(replace(clip, split="test", captions=said))
        else:
            made.append(replace(clip, split=next(names)))
    return made, sorted(held_out.items())


def held_out_pairs(
    clips: Sequence[Clip], share: float, seed: int
) -> tuple[dict[str, str], set[str]]:
    """The held-out modifier by action, and the names of the clips that have it."""
    rng = np.random.default_rng([seed, len(clips)])
    by_action: dict[str, list[Clip]] = {}
    for clip in clips:
        by_action.setdefault(action_of(clip), []).append(clip)
    held_out: dict[str, str] = {}
    test: set[str] = set()
    for action in rng.permutation(sorted(by_action)):
        those = by_action[str(action)]
        having = {
            word: {clip.name for clip in those if any(says(c, word) for c in clip.captions)}
            for word in MODIFIERS
        }
        if len(test) >= share * len(clips):
            break
        words = [
            word
            for word, names in having.items()
            if 0 < len(names) < len(those) and known_elsewhere(clips, test | names)
        ]
        if words:
            word = str(rng.choice(words))
            held_out[str(action)] = word
            test |= having[word]
    return held_out, test


def known_elsewhere(clips: Sequence[Clip], apart: set[str]) -> bool:
    """Whether every word of the clips `apart` is one of another clip's: their pairs are new, their words are not."""
    inside, outside = (
        {
            word
            for clip in clips
            if (clip.name in apart) == side
            for caption in clip.captions
            for word in caption.split()
        }
        for side in (True, False)
    )
    return inside <= outside


def action_of(clip: Clip) -> str:
    return clip.source.removeprefix("toy:")


def says(caption: str, modifier: str) -> bool:
    return f" {modifier} " in f" {caption.rstrip('.')} "
