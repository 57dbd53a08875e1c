"""The left-right mirror image of a clip: its captions' words and the name of the twin."""

from __future__ import annotations

import re
from collections.abc import Collection

# words that change sides; the longer of two that begin alike comes first in the pattern
SIDES = (
    ("left", "right"),
    ("lefts", "rights"),
    ("leftward", "rightward"),
    ("leftwards", "rightwards"),
    ("leftmost", "rightmost"),
    ("leftside", "rightside"),
    ("lefthand", "righthand"),
    ("lefthanded", "righthanded"),
    ("clockwise", "counterclockwise"),
)
# other spellings of counterclockwise, each of which becomes clockwise
AGAINST = ("counterclockwise", "counter-clockwise", "counter clockwise", "anticlockwise", "anti-clockwise", "anti clockwise")  # fmt: skip
OTHER = {word: other for pair in SIDES for word, other in (pair, pair[::-1])} | dict.fromkeys(
    AGAINST, "clockwise"
)
WORD = re.compile(
    r"(?<![^\W_])("
    + "|".join(map(re.escape, sorted(OTHER, key=len, reverse=True)))
    + r")(?![^\W_])",
    re.IGNORECASE,
)


def mirrored_caption(caption: str) -> str:
    """Left and right, clockwise and counterclockwise exchanged, case kept."""

    def other(match: re.Match[str]) -> str:
        word = match[0]
        swapped = OTHER[word.lower()]
        if word.isupper():
            return swapped.upper()
        return swapped.capitalize() if word[0].isupper() else swapped

    return WORD.sub(other, caption)


def mirrored_name(name: str, taken: Collection[str]) -> str:
    """`M<name>` as HumanML3D calls it, with as many `M` as it takes to be no other clip's name."""
    twin = f"M{name}"
    while twin in taken:
        twin = f"M{twin}"
    return twin
