"""Where motions come from. Drop-in: `motionrft/corpus/<kind>.py` defines `CORPUS`,

    CORPUS(settings, where, skipped) -> iterator of Clip

with the `corpus:` section of the configuration, the name of the file it came from (for messages), and a
list to which it appends one line for whatever it leaves out. An optional module constant `FPS`
(default 20) gives the rate of its clips, an optional `facts(settings, where)` what corpus.json keeps of the
data set (skeleton, bone_lengths, statistics).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import motionrft.corpus as room
from motionrft.corpus.store import Clip
from motionrft.errors import InputError

Source = Callable[[dict[str, Any], str, list[str]], Iterator[Clip]]


def _module(kind: str) -> ModuleType:
    names = {module.name for module in pkgutil.iter_modules(room.__path__)}
    module = importlib.import_module(f"motionrft.corpus.{kind}") if kind in names else None
    if module is None or not hasattr(module, "CORPUS"):
        raise InputError(
            f"unknown corpus kind {kind!r}",
            field="corpus.kind",
            fix=f"add motionrft/corpus/{kind}.py",
        )
    return module


def source(kind: str) -> tuple[Source, float]:
    """The generator of a corpus kind and its frame rate."""
    module = _module(kind)
    return module.CORPUS, float(getattr(module, "FPS", 20.0))


def facts(kind: str, settings: dict[str, Any], where: str) -> dict[str, Any]:
    """What later stages must know of the data: skeleton, bone_lengths, statistics; empty for most kinds."""
    found = getattr(_module(kind), "facts", None)
    return found(settings, where) if found else {}
