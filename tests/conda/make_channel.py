"""The running Python's distributions as a local conda channel of file-less packages.

`python` is a real package whose executables start this interpreter; every other distribution is a name
and a version, enough for a solver.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import io
import json
import platform
import re
import sys
import tarfile
from pathlib import Path

# conda-forge's names where they differ from the package index's
NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def _package(
    channel: Path, name: str, version: str, subdir: str, files: dict[str, bytes], depends: list[str]
) -> None:
    index = {
        "name": name,
        "version": version,
        "build": "0",
        "build_number": 0,
        "depends": depends,
        "subdir": subdir,
        "timestamp": 1_700_000_000_000,
        **({"noarch": "generic"} if subdir == "noarch" else {}),
    }
    listed = [
        {
            "_path": path,
            "path_type": "hardlink",
            "sha256": hashlib.sha256(data).hexdigest(),
            "size_in_bytes": len(data),
        }
        for path, data in files.items()
    ]
    members = {
        "info/index.json": json.dumps(index).encode(),
        "info/paths.json": json.dumps({"paths": listed, "paths_version": 1}).encode(),
        **files,
    }
    folder = channel / subdir
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / f"{name}-{version}-0.tar.bz2", "w:bz2") as archive:
        for path, data in members.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), 0o755 if path.startswith("bin/") else 0o644
            archive.addfile(entry, io.BytesIO(data))


def make_channel(channel: Path, versions: dict[str, str] | None = None) -> None:
    """Writes the channel; `versions` replaces some packages' versions."""
    from rattler.index import index_fs

    launcher = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'.encode()
    executables = {f"bin/{name}": launcher for name in ("python", "python3")}
    _package(channel, "python", platform.python_version(), "linux-64", executables, [])
    found = {}
    for distribution in importlib.metadata.distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        found[NAMES.get(name, name)] = distribution.version.split("+")[0]
    for name, version in {**found, **(versions or {})}.items():
        _package(channel, name, version, "noarch", {}, ["python"])
    asyncio.run(index_fs(channel))


if __name__ == "__main__":
    make_channel(Path(sys.argv[1]))
