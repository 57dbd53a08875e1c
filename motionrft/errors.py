"""The one error a user is meant to read."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from pathlib import Path


class InputError(Exception):
    """Bad input: names the file (or option), the field, what is wrong, and the fix, in one line.

    The command line prints it without a traceback and exits with status 2.
    """

    def __init__(self, problem: str, *, where: str | Path = "", field: str = "", fix: str = ""):
        self.problem, self.where, self.field, self.fix = problem, where, field, fix
        place = ": ".join(part for part in (str(where), field) if part)
        text = f"{place}: {problem}" if place else problem
        super().__init__(f"{text}. Fix: {fix}" if fix else text)

    def at(self, where: str | Path) -> InputError:
        """The same, about `where` if it names no file yet."""
        given = self.where or where
        return InputError(self.problem, where=given, field=self.field, fix=self.fix)


def unknown_name(
    what: str,
    name: str,
    known: Iterable[str],
    *,
    where: str | Path = "",
    field: str = "",
    add: str = "",
) -> InputError:
    """About a `name` that is none of the `known`: `what` it names ("backbone"); `add`: what would make it known."""
    names = list(known)
    close = difflib.get_close_matches(str(name), names, 1)
    guess = f"did you mean {close[0]}? " if close else ""
    fix = f"{guess}choose from {', '.join(names)}" + (f", or add {add}" if add else "")
    return InputError(f"unknown {what} {name!r}", where=where, field=field, fix=fix)


STORAGE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EROFS: "write somewhere else (the file system is mounted read-only)",
    errno.EACCES: "write somewhere else, or get the right to write there",
    errno.EPERM: "write somewhere else, or get the right to write there",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EIO: "see to the disk, or to the server it is on,",
    errno.ESTALE: "see to the server that the disk is on",
}
# what a folder that cannot be made is told by
UNMADE = (errno.EEXIST, errno.ENOENT, errno.ENOTDIR)
# how libraries written in other languages word a full disk
WRITERS = ("No space left on device", "PytorchStreamWriter failed writing")


def storage_error(error: BaseException, where: str | Path) -> InputError | None:
    """What to tell a user who cannot write to `where`, whose disk is full, say; None if `error` is about something else."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in STORAGE:
            fix = f"{STORAGE[seen.errno]} and run again; finished files are whole"
            return InputError(str(seen.strerror), where=seen.filename or where, fix=fix)
        if isinstance(seen, OSError) and seen.errno in UNMADE and _leads_to(seen.filename, where):
            why = (
                "is a file where a folder has to be"
                if Path(seen.filename).is_file()
                else "cannot be made"
            )
            return InputError(why, where=seen.filename, fix="write somewhere else")
        seen = seen.__cause__ or seen.__context__
    if any(words in str(error) for words in WRITERS):
        fix = f"{STORAGE[errno.ENOSPC]} and run again; finished files are whole"
        return InputError(WRITERS[0], where=where, fix=fix)
    return None


def _leads_to(folder: object, where: str | Path) -> bool:
    """Whether `folder`, as an error names it, is `where` or one of the folders that it is in."""
    path = Path(where).absolute()
    return isinstance(folder, str) and Path(folder).absolute() in (path, *path.parents)
