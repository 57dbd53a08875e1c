"""The one error a user is meant to read."""

from __future__ import annotations

from pathlib import Path


class InputError(Exception):
    """Bad input: names the file (or option), the field, what is wrong, and the fix, in one line.

    The command line prints it without a traceback and exits with status 2.
    """

    def __init__(self, problem: str, *, where: str | Path = "", field: str = "", fix: str = ""):
        place = ": ".join(part for part in (str(where), field) if part)
        text = f"{place}: {problem}" if place else problem
        super().__init__(f"{text}. Fix: {fix}" if fix else text)
