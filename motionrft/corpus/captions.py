"""HumanML3D's caption files: one `caption#token/POS token/POS …#from#to` a line, seconds of the clip.

from = to = 0 (or nan) describes the whole clip; any other pair makes a clip of its own out of that part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from motionrft.contents import read_text
from motionrft.errors import InputError


@dataclass(frozen=True)
class Caption:
    """begin and end in seconds; both 0 for the whole clip. tokens are `word/POS`."""

    text: str
    tokens: tuple[str, ...]
    begin: float = 0.0
    end: float = 0.0

    @property
    def whole(self) -> bool:
        return self.begin == 0.0 and self.end == 0.0

    def line(self) -> str:
        return f"{self.text}#{' '.join(self.tokens)}#{self.begin}#{self.end}"


def plain_tokens(text: str) -> tuple[str, ...]:
    """Words without a tagger, each OTHER: for captions that never met one."""
    words = "".join(letter if letter.isalpha() else " " for letter in text.replace("-", "")).split()
    return tuple(f"{word.lower()}/OTHER" for word in words)


def parse_line(line: str, where: str) -> Caption:
    """One line; `where` names file and line in the message of an `InputError`."""
    fields = line.strip().split("#")
    if len(fields) != 4:
        raise InputError(
            f"{len(fields)} fields between '#', expected 4",
            where=where,
            field="caption",
            fix="write caption#tokens#from#to, without '#' in the caption",
        )
    text, tokens, begin, end = fields
    text = " ".join(text.split())
    if not text:
        raise InputError(
            "empty caption", where=where, field="caption", fix="write one, or delete the line"
        )
    try:
        seconds = [float(value) for value in (begin, end)]
    except ValueError:
        raise InputError(
            f"{begin!r}, {end!r} are not seconds",
            where=where,
            field="from, to",
            fix="write two numbers",
        ) from None
    first, last = (0.0 if math.isnan(value) else value for value in seconds)
    if first < 0 or last < first or math.isinf(last):
        raise InputError(
            f"the part from {first:g} to {last:g} s does not exist",
            where=where,
            field="from, to",
            fix="0 <= from < to",
        )
    return Caption(text, tuple(tokens.split()), first, last)


def read_captions(path: Path) -> tuple[list[Caption], list[InputError]]:
    """The captions of a file, and one error for each broken line."""
    if path.is_file() and not path.stat().st_size:
        return [], []
    return parse_captions(read_text(path, "texts", "complete the texts folder"), str(path))


def parse_captions(text: str, where: str) -> tuple[list[Caption], list[InputError]]:
    """As `read_captions`, of a file's text; `where` names it."""
    captions: list[Caption] = []
    broken: list[InputError] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                captions.append(parse_line(line, f"{where}:{number}"))
            except InputError as error:
                broken.append(error)
    return captions, broken
