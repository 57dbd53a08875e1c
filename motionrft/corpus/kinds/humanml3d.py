"""`kind: humanml3d`: the official, already processed HumanML3D directory (22 joints, 263 features, 20 fps)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from motionrft.corpus.official.layout import HUMANML3D_LAYOUT
from motionrft.corpus.official.reader import official_facts, read_official
from motionrft.corpus.report import Report
from motionrft.corpus.store import Clip

FPS = HUMANML3D_LAYOUT.skeleton.fps


def CORPUS(settings: dict[str, Any], where: str, report: Report) -> Iterator[Clip]:  # noqa: N802
    """Clips with their official features; sub-clips are clips of their own (`A_000123`)."""
    del where
    return read_official(settings, HUMANML3D_LAYOUT, report)


def facts(settings: dict[str, Any], where: str) -> dict[str, Any]:
    del where
    return official_facts(settings, HUMANML3D_LAYOUT)
