"""What a section reads from outside of the run: files and folders that its schema marks with `reads`.

A job's outputs are stale when one of them changes, as when the section itself does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from motionrft.configuration.files import ROOT
from motionrft.configuration.schema import read_schema

AUTO = "auto"  # found by itself: no file is named
State = list[tuple[str, int, int]]  # path, size, time of the last change in nanoseconds


def read_from_outside(section: dict[str, Any], schema: str) -> dict[str, State]:
    """{key: the files it names, with size and date}. A name that is no file here (of a hub) has none."""
    return {key: state(path) for key, path in outside_paths(section, schema)}


def outside_paths(section: dict[str, Any], schema: str) -> list[tuple[str, Path]]:
    """(key, path) of every file and folder that the section names outside of the run, there or not."""
    return list(_paths(read_schema(schema), section))


def _paths(rule: dict[str, Any], value: Any, key: str = "") -> Iterator[tuple[str, Path]]:
    """Every path below `value`. `reads: <folder>` is for names of that folder of the checkout, without suffix."""
    if isinstance(value, str) and "reads" in rule and value != AUTO:
        named = ROOT / f"{rule['reads']}/{value}.yaml"
        yield key, named if named.is_file() else Path(value).expanduser()
    if isinstance(value, list) and "reads" in rule:
        for number, entry in enumerate(value):
            yield from _paths(rule, entry, f"{key}.{number}")
    if isinstance(value, dict):
        others = rule.get("additionalProperties")
        for name, entry in value.items():
            inner = rule.get("properties", {}).get(name, others)
            if isinstance(inner, dict):
                yield from _paths(inner, entry, f"{key}.{name}" if key else name)


def read_beside(checkpoint: str, patterns: Sequence[str]) -> State:
    """Of a checkpoint (a file, or a folder with all below it) and of the files that `patterns`, which count from its
    folder, find with it."""
    path = Path(checkpoint).expanduser()
    beside = {found for pattern in patterns for found in path.parent.glob(pattern)}
    return [*state(path), *(_one(found, str(found)) for found in sorted(beside))]


@cache
def state(path: Path) -> State:
    """Of a file, or of every file below a folder, links followed; empty where there is none."""
    if path.is_file():
        return [_one(path, path.name)]
    states: State = []
    for root, _, files in walk_links(path):
        inside = os.path.relpath(root, path)
        states += [_one(root / name, f"{inside}/{name}") for name in sorted(files)]
    return states


def walk_links(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """(folder, names of folders in it, names of files in it) of `folder` and all below it, in the order of names.
    Links are followed, each folder entered once."""
    seen = set()
    for root, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        yield Path(root), folders, files


def _one(path: Path, name: str) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except OSError:  # a link that leads nowhere
        return name, -1, -1
    return name, status.st_size, status.st_mtime_ns
