"""`kind: humanml3d`: the official, already processed HumanML3D directory (22 joints, 263 features, 20 fps)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from motionrft.corpus.official.reader import Layout, official_facts, read_official
from motionrft.corpus.report import Report
from motionrft.corpus.store import Clip
from motionrft.motion.skeleton import SMPL_22

FPS = SMPL_22.fps
LAYOUT = Layout(
    kind="humanml3d",
    skeleton=SMPL_22,
    least=40,
    limit=200,
    owner="https://github.com/EricGuo5513/HumanML3D (texts, index.csv, splits; motions are built from "
    "https://amass.is.tue.mpg.de, which kind: amass does)",
)


def CORPUS(settings: dict[str, Any], where: str, report: Report) -> Iterator[Clip]:  # noqa: N802
    """Clips with their official features; sub-clips are clips of their own (`A_000123`)."""
    del where
    return read_official(settings, LAYOUT, report)


def facts(settings: dict[str, Any], where: str) -> dict[str, Any]:
    del where
    return official_facts(settings, LAYOUT)
