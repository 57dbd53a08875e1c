"""The one error a user is meant to read."""

from __future__ import annotations

import errno
from pathlib import Path


class InputError(Exception):
    """Bad input: names the file (or option), the field, what is wrong, and the fix, in one line.

    The command line prints it without a traceback and exits with status 2.
    """

    def __init__(self, problem: str, *, where: str | Path = "", field: str = "", fix: str = ""):
        place = ": ".join(part for part in (str(where), field) if part)
        text = f"{place}: {problem}" if place else problem
        super().__init__(f"{text}. Fix: {fix}" if fix else text)


STORAGE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EROFS: "write somewhere else (the file system is mounted read-only)",
    errno.EACCES: "write somewhere else, or get the right to write there",
    errno.EPERM: "write somewhere else, or get the right to write there",
}
# how libraries written in other languages word a full disk
WRITERS = ("No space left on device", "PytorchStreamWriter failed writing")


def storage_error(error: BaseException, where: str | Path) -> InputError | None:
    """What to tell a user whose disk is full or not writable; None if `error` is about something else."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in STORAGE:
            fix = f"{STORAGE[seen.errno]} and run again; finished files are whole"
            return InputError(str(seen.strerror), where=seen.filename or where, fix=fix)
        seen = seen.__cause__ or seen.__context__
    if any(words in str(error) for words in WRITERS):
        fix = f"{STORAGE[errno.ENOSPC]} and run again; finished files are whole"
        return InputError(WRITERS[0], where=where, fix=fix)
    return None
