"""What lies in a file of others: text without its byte order mark, numpy arrays, and what a file that is neither is.

Downloads go wrong in few ways (a Git LFS pointer, an error page, half a file); each is named with its remedy.
"""

from __future__ import annotations

import codecs
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

import numpy as np

from motionrft.errors import InputError

POINTER = b"version https://git-lfs"
# what numpy raises on bytes that are no array
BROKEN = (
    ValueError, OSError, EOFError, SyntaxError, MemoryError, LookupError, TypeError, OverflowError, RuntimeError, struct.error,
    tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
HEAD = 512  # bytes that tell what a file is


def described(path: str | Path) -> tuple[str, str] | None:
    """(what the file is, how to get the real one) of a file that is missing or stands in for another; else None."""
    path = Path(path)
    if path.is_dir():
        return "a folder, not a file", "name the file itself"
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
    except FileNotFoundError:
        problem = "a link that leads nowhere" if path.is_symlink() else "no such file"
        return problem, ""
    except OSError as error:
        return f"not readable ({error.strerror})", "get the right to read it, or copy it again"
    start = head.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if not head:
        return "an empty file", "download or copy it again"
    if head.startswith(POINTER):
        return "a Git LFS pointer, not the file itself", "run `git lfs pull` in its repository"
    if start.startswith((b"<!doctype html", b"<html")) or b"<html" in start:
        return (
            "an HTML page, not the file itself",
            "download it again; the page tells what it wants",
        )
    if start.startswith((b"<?xml", b'{"message"', b'{"error"')):
        return "a server's answer, not the file itself", "download it again"
    return None


def refuse_stand_in(path: str | Path, field: str = "", fix: str = "") -> None:
    """Raises where `described` knows better than a reader; fix: what to do where there is no file."""
    known = described(path)
    if known:
        raise InputError(known[0], where=path, field=field, fix=known[1] or fix)


def read_text(path: str | Path, field: str, fix: str) -> str:
    """A text file in UTF-8, or in UTF-16 with its byte order mark; the mark is no text."""
    refuse_stand_in(path, field, fix)
    return decoded(Path(path).read_bytes(), path, field, fix)


def decoded(data: bytes, path: str | Path, field: str, fix: str) -> str:
    """As `read_text`, of a file's bytes; line ends become line feeds."""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        problem, mend = f"not UTF-8 (byte {error.start})", "save it as UTF-8"
        if b"\0" not in data:
            raise InputError(problem, where=path, field=field, fix=mend) from None
        text = "\0"
    if "\0" in text:
        raise InputError("not a text file (zero bytes)", where=path, field=field, fix=fix)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_array(path: str | Path, fix: str = "copy it again") -> np.ndarray:
    """The numbers of an .npy file; anything else is named for what it is."""
    refuse_stand_in(path, fix=fix)
    try:
        array = np.load(path, allow_pickle=False)
    except BROKEN as error:
        raise InputError(
            f"not a readable .npy file ({_one_line(error)})", where=path, fix=fix
        ) from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        kind = array.dtype if isinstance(array, np.ndarray) else "an .npz archive"
        raise InputError(f"holds no numbers ({kind})", where=path, fix=fix)
    return array


def read_arrays(
    path: str | Path, names: Collection[str], fix: str = "copy it again"
) -> dict[str, np.ndarray]:
    """Those of the named arrays that an .npz file has."""
    refuse_stand_in(path, fix=fix)
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if name in names}
    except (AttributeError, TypeError):
        raise InputError("one array, not an .npz archive", where=path, fix=fix) from None
    except BROKEN as error:
        raise InputError(
            f"not a readable .npz file ({_one_line(error)})", where=path, fix=fix
        ) from None


def read_statistics(
    path: str | Path, dim: int | None = None, *, deviation: bool = False
) -> np.ndarray:
    """A mean or a standard deviation, flat; a deviation must be positive, since features are divided by it."""
    values = read_array(path).ravel()
    if (dim is not None and values.size != dim) or not values.size:
        raise InputError(
            f"{values.size} numbers, expected {dim or 'some'}",
            where=path,
            fix="copy the official file",
        )
    broken = np.flatnonzero(~np.isfinite(values))
    if len(broken):
        raise InputError(
            f"channel {broken[0]} is {values[broken[0]]} ({len(broken)} channels are not finite)",
            where=path,
            fix="copy the official file",
        )
    if deviation:
        bad = np.flatnonzero(values <= 0)
        if len(bad):
            raise InputError(
                f"the standard deviation of channel {bad[0]} is {values[bad[0]]:g}, not positive "
                f"({len(bad)} channels)",
                where=path,
                fix="copy the official file; features are divided by these numbers",
            )
    return values


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
