"""Where motions come from. Drop-in: `motionrft/corpus/kinds/<kind>.py` (or a package) defines `CORPUS`,

    CORPUS(settings, where, report) -> iterator of Clip

with the `corpus:` section of the configuration, the name of the file it came from (for messages), and the
`corpus.report.Report` that hears of whatever is left out or unusual. Its keys are described and checked by
`workflow/schemas/corpus-<kind>.schema.yaml`. Optional in the module:

    FPS                     frames a second of its clips (default 20)
    facts(settings, where)  what corpus.json keeps of the data set: skeleton, bone_lengths, statistics

This folder holds kinds only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from motionrft import drop_ins

if TYPE_CHECKING:
    from motionrft.corpus.report import Report
    from motionrft.corpus.store import Clip

Source = Callable[[dict[str, Any], str, "Report"], "Iterator[Clip]"]


def names() -> list[str]:
    """Every kind, by its file's name (a hyphen is an underscore there); imports none of them."""
    return [name.replace("_", "-") for name in drop_ins.names(__name__)]


def _module(kind: str) -> ModuleType:
    return drop_ins.load(__name__, kind.replace("-", "_"), "corpus kind", "corpus.kind")


def source(kind: str) -> tuple[Source, float]:
    """The generator of a corpus kind and its frame rate."""
    module = _module(kind)
    return module.CORPUS, float(getattr(module, "FPS", 20.0))


def facts(kind: str, settings: dict[str, Any], where: str) -> dict[str, Any]:
    """What later stages must know of the data: skeleton, bone_lengths, statistics; empty for most kinds."""
    describe = getattr(_module(kind), "facts", None)
    return describe(settings, where) if describe else {}
