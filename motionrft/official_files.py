"""Official checkpoints: where they are, what they are, and their download.

A file of `config/official` is a set of files that belong together: what they are, who gives them (source), the
licence, which key of a run reads them (use), and of each file
  path    where it goes, below the destination
  url     its address, where anybody may download it
  page    otherwise the page where a person does
  mb      megabytes of the download, where they are known
  sha256  of the download, where it is known
  unzip   the folder, below the destination, that an archive is unpacked into; `path` is one of its members
"""

from __future__ import annotations

import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from motionrft import __version__
from motionrft.configuration import available, part
from motionrft.contents import described
from motionrft.errors import InputError, unknown_name
from motionrft.files import atomic
from motionrft.options import read_options
from motionrft.progress import progress

FOLDER = "official"
MEGABYTE = 1_000_000
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class OfficialFile:
    """One file, as the module's docstring has it."""

    path: str
    url: str = ""
    page: str = ""
    mb: float = 0.0
    sha256: str = ""
    unzip: str = ""

    def __post_init__(self) -> None:
        if bool(self.url) == bool(self.page):
            raise InputError("needs a url or a page", field=self.path, fix="give one of the two")

    @property
    def size(self) -> str:
        if not self.mb:
            return "size not known"
        return f"{self.mb / 1000:.2g} GB" if self.mb >= 1000 else f"{self.mb:g} MB"

    def state(self, folder: Path) -> str:
        """What is wrong with the file below `folder`; empty: nothing."""
        path = folder / self.path
        known = described(path)
        if known is not None:
            return known[0]
        if self.sha256 and not self.unzip and sha256(path) != self.sha256:
            return f"its sha256 is {sha256(path)}, expected {self.sha256}"
        return ""


@dataclass(frozen=True)
class OfficialSet:
    """Files that belong together."""

    what: str
    source: str
    licence: str
    use: str
    files: tuple[OfficialFile, ...]

    def used(self, folder: Path) -> str:
        """`use` with the paths of the files."""
        return self.use.format(*(folder / file.path for file in self.files))


def names() -> list[str]:
    """Every set."""
    return available(FOLDER)


def official_set(name: str) -> OfficialSet:
    """By its name; an unknown one is an `InputError` that lists them."""
    if name not in names():
        raise unknown_name("official checkpoint", name, names(), where="fetch")
    entry: dict[str, Any] = part(FOLDER, name, "fetch")
    where = f"config/{FOLDER}/{name}.yaml"
    files = [
        read_options(OfficialFile, file, where=where, field="files") for file in entry.pop("files")
    ]
    return read_options(OfficialSet, entry, where=where, files=tuple(files))


def download(file: OfficialFile, folder: Path) -> str:
    """Downloads the file to its place below `folder`, and unpacks it; its sha256.

    What has arrived is kept in `<path>.part` and gone on with; nothing stands at `path` before all of it has arrived
    and been checked.
    """
    path = folder / file.path
    part_file = path.with_name(f"{path.name}.part")
    part_file.parent.mkdir(parents=True, exist_ok=True)
    receive(file.url, part_file)
    found = sha256(part_file)
    known = described(part_file)
    if known is not None or (file.sha256 and found != file.sha256):
        part_file.unlink()
        problem = known[0] if known else f"its sha256 is {found}, expected {file.sha256}"
        raise InputError(
            f"what arrived is not the file: {problem}", where=file.url, fix="try again; if it stays, the address has changed"
        )  # fmt: skip
    if file.unzip:
        unpack(part_file, folder / file.unzip)
        if not path.is_file():
            raise InputError(
                f"the archive has no {file.path}", where=part_file, fix="look what is in it"
            )
        part_file.unlink()
    else:
        part_file.replace(path)
    return found


def receive(url: str, path: Path) -> None:
    """Appends to `path` what it lacks of the file at the address."""
    mark = path.with_name(f"{path.name}.etag")
    begin = path.stat().st_size if path.is_file() and mark.is_file() else 0
    headers = {"User-Agent": f"motionrft/{__version__}"}
    if begin:
        headers |= {"Range": f"bytes={begin}-", "If-Range": mark.read_text(encoding="utf-8")}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S
        ) as answer:
            goes_on = answer.status == 206
            tag = answer.headers.get("ETag", "")
            if tag and not tag.startswith("W/"):
                mark.write_text(tag, encoding="utf-8")
            else:
                mark.unlink(missing_ok=True)  # nobody could tell whether a rest belongs to it
            length = answer.headers.get("Content-Length")
            wanted = None if length is None else int(length) + begin * goes_on
            with open(path, "ab" if goes_on else "wb") as out:
                for chunk in _chunks(answer, wanted, begin * goes_on, path.stem):
                    out.write(chunk)
    except urllib.error.HTTPError as error:
        raise InputError(
            f"the server answers {error.code} ({error.reason})", where=url, fix="open the address in a browser"
        ) from None  # fmt: skip
    except (OSError, http.client.HTTPException) as error:
        raise InputError(
            f"no connection ({error})", where=url, fix="run the same command again: it goes on where it stopped"
        ) from None  # fmt: skip
    arrived = path.stat().st_size
    if wanted is not None and arrived != wanted:
        raise InputError(
            f"the connection ended after {arrived} of {wanted} bytes", where=url,
            fix="run the same command again: it goes on where it stopped",
        )  # fmt: skip
    mark.unlink(missing_ok=True)


def _chunks(answer: IO[bytes], wanted: int | None, begin: int, label: str) -> Iterator[bytes]:
    """Megabyte by megabyte, with a bar where the length is known."""
    if wanted is None:
        yield from iter(lambda: answer.read(MEGABYTE), b"")
        return
    done, total = begin // MEGABYTE, -(-wanted // MEGABYTE)
    for _ in progress(range(done, total + 1), total=total, initial=done, label=label, unit="MB"):
        chunk = answer.read(MEGABYTE)
        if not chunk:
            return
        yield chunk


def unpack(archive: Path, folder: Path) -> None:
    """Every file of a .zip into `folder`, each whole or not at all; never outside of it."""
    try:
        with zipfile.ZipFile(archive) as content:
            for entry in content.infolist():
                inside = PurePosixPath(entry.filename)
                if entry.is_dir():
                    continue
                if inside.is_absolute() or ".." in inside.parts:
                    raise InputError(
                        f"holds {entry.filename!r}, outside of its folder", where=archive, fix="do not use it"
                    )  # fmt: skip
                with (
                    content.open(entry) as stream,
                    atomic(folder / inside) as temporary,
                    open(temporary, "wb") as out,
                ):
                    shutil.copyfileobj(stream, out)
    except zipfile.BadZipFile:
        raise InputError(
            "not a .zip archive", where=archive, fix="delete it and fetch again"
        ) from None


def sha256(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
