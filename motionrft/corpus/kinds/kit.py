"""`kind: kit`: the official, already processed KIT-ML directory (21 joints, 251 features, 12.5 fps, millimetres)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from motionrft.corpus.official.layout import KIT_LAYOUT
from motionrft.corpus.official.reader import official_facts, read_official
from motionrft.corpus.report import Report
from motionrft.corpus.store import Clip

FPS = KIT_LAYOUT.skeleton.fps


def CORPUS(settings: dict[str, Any], where: str, report: Report) -> Iterator[Clip]:  # noqa: N802
    """Clips with their official features. With `compat: humanml3d`, parts are cut at 20 frames a second, as
    the official loaders do although the data have 12.5."""
    del where
    return read_official(settings, KIT_LAYOUT, report)


def facts(settings: dict[str, Any], where: str) -> dict[str, Any]:
    del where
    return official_facts(settings, KIT_LAYOUT)
