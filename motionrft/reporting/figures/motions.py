"""Motions as a film: base above fine-tuned, three prompts side by side, ten frames a second (paper Fig. 12)."""

from __future__ import annotations

from typing import Any

from motionrft.motion.skeleton import SMPL_22
from motionrft.player.film import pictures
from motionrft.reporting.figure import FigureFile, Film
from motionrft.reporting.motions import Pair, base_beside_finetuned
from motionrft.reporting.records import Records

FPS = 10


def films(records: Records) -> dict[str, Film]:
    """A film for each backbone of which both models have samples."""
    return {pair.backbone: Film(_pictures(pair), FPS) for pair in base_beside_finetuned(records)}


def _pictures(pair: Pair) -> list[Any]:
    shown = {
        name: [samples.joints[row] for row in pair.rows] for name, samples in pair.models.items()
    }
    return pictures(shown, SMPL_22, SMPL_22.fps, FPS)


FIGURE = FigureFile(
    question="backbone",
    caption="base above fine-tuned, the same prompt and noise in a column",
    source="12",
    order=170,
    draw=films,
)
