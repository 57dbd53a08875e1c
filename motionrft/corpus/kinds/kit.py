"""`kind: kit`: the official, already processed KIT-ML directory (21 joints, 251 features, 12.5 fps, millimetres)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from motionrft.corpus.official.reader import Layout, official_facts, read_official
from motionrft.corpus.report import Report
from motionrft.corpus.store import Clip
from motionrft.motion.skeleton import KIT_21

FPS = KIT_21.fps
LAYOUT = Layout(
    kind="kit",
    skeleton=KIT_21,
    least=24,
    limit=200,
    owner="https://github.com/EricGuo5513/HumanML3D (section KIT-ML Dataset)",
)


def CORPUS(settings: dict[str, Any], where: str, report: Report) -> Iterator[Clip]:  # noqa: N802
    """Clips with their official features. With `compat: humanml3d`, parts are cut at 20 frames a second, as
    the official loaders do although the data have 12.5."""
    del where
    return read_official(settings, LAYOUT, report)


def facts(settings: dict[str, Any], where: str) -> dict[str, Any]:
    del where
    return official_facts(settings, LAYOUT)
