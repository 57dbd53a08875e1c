"""The part-of-speech rows of a caption's words against recorded ones."""

from __future__ import annotations

from motionrft.evaluation.words import POS, pos_index
from reference.case import Case

FAMILY = "words"


def recognises(case: Case) -> bool:
    rows = case.meta.get("rows")
    return isinstance(rows, list) and bool(rows) and "pos_index" in rows[0]


def check(case: Case, cases: dict[str, Case]) -> None:
    del cases
    rows = case.number("rows")
    found = []
    for row in rows:
        word, _, pos = row["token"].partition("/")
        found.append(pos_index(word, pos, bool(row["in_vocab"])))
    case.compare("rows.pos_index", found, expected=[row["pos_index"] for row in rows])
    recorded = case.number("pos")
    case.compare("pos", [POS.index(tag) for tag in recorded], expected=list(recorded.values()))
    case.compare("pos.size", len(POS), expected=len(recorded))
    case.require_numbers()
