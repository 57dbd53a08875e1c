"""Where motions come from. Drop-in: `motionrft/corpus/<kind>.py` defines `CORPUS`,

    CORPUS(settings, where, skipped) -> iterator of Clip

with the `corpus:` section of the configuration, the name of the file it came from (for messages), and a
list to which it appends one line for whatever it leaves out. An optional module constant `FPS`
(default 20) gives the rate of its clips.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import motionrft.corpus as room
from motionrft.corpus.store import Clip
from motionrft.errors import InputError

Source = Callable[[dict[str, Any], str, list[str]], Iterator[Clip]]


def source(kind: str) -> tuple[Source, float]:
    """The generator of a corpus kind and its frame rate."""
    names = {module.name for module in pkgutil.iter_modules(room.__path__)}
    module = importlib.import_module(f"motionrft.corpus.{kind}") if kind in names else None
    if module is None or not hasattr(module, "CORPUS"):
        raise InputError(f"unknown corpus kind {kind!r}", field="corpus.kind", fix=f"add motionrft/corpus/{kind}.py")
    return module.CORPUS, float(getattr(module, "FPS", 20.0))
