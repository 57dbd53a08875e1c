"""Motions as a film: base above fine-tuned, three prompts side by side, ten frames a second (paper Fig. 12)."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from motionrft.motion.skeleton import SMPL_22
from motionrft.reporting.figure import FigureFile, Film
from motionrft.reporting.motions import Pair, base_beside_finetuned, centred
from motionrft.reporting.records import Records
from motionrft.reporting.style import PALETTE

TILE, FPS, LINE = 220, 10, 4


def films(records: Records) -> dict[str, Film]:
    """A film for each backbone of which both models have samples."""
    return {pair.backbone: Film(_pictures(pair), FPS) for pair in base_beside_finetuned(records)}


def _pictures(pair: Pair) -> list[Any]:
    """All chosen motions at each tenth of a second; shorter ones hold their last pose."""
    longest = max(len(samples.joints[row]) for samples in pair.models.values() for row in pair.rows)
    pictures = []
    for frame in range(0, longest, 20 // FPS):
        picture = Image.new("RGB", (TILE * len(pair.rows), TILE * len(pair.models)), "white")
        draw = ImageDraw.Draw(picture)
        for line, (name, samples) in enumerate(pair.models.items()):
            for column, row in enumerate(pair.rows):
                joints = samples.joints[row]
                pose = joints[min(frame, len(joints) - 1)]
                pose = centred(pose, pose)
                left, floor = TILE * (column + 0.5), TILE * (line + 1) - 24
                x = left + 0.4 * TILE * (0.85 * pose[:, 0] + 0.5 * pose[:, 2])
                y = floor - 0.4 * TILE * pose[:, 1]
                points = np.stack([x.numpy(), y.numpy()], axis=1)
                draw.line([(left - 80, floor), (left + 80, floor)], fill="#cccccc")
                for index, chain in enumerate(SMPL_22.chains):
                    path = [tuple(points[joint]) for joint in chain]
                    draw.line(path, fill=PALETTE[1 if index % 2 else 0], width=LINE, joint="curve")
                draw.text((TILE * column + 6, TILE * line + 4), name, fill="black")
        pictures.append(picture)
    return pictures


FIGURE = FigureFile(
    caption="base above fine-tuned, the same prompt and noise in a column",
    source="12",
    order=170,
    draw=films,
)
