"""Motions as strips: eight moments side by side, base above fine-tuned, a figure a backbone (paper Fig. 12)."""

from __future__ import annotations

from typing import Any

import torch
from matplotlib.collections import LineCollection

from motionrft.motion.skeleton import SMPL_22
from motionrft.player.stick_figure import centred
from motionrft.reporting.figure import FigureFile
from motionrft.reporting.motions import Pair, base_beside_finetuned
from motionrft.reporting.records import Records
from motionrft.reporting.style import PALETTE, pyplot

MOMENTS = 8


def strips(records: Records) -> dict[str, Any]:
    """A figure for each backbone of which both models have samples."""
    return {pair.backbone: _strip(pair) for pair in base_beside_finetuned(records)}


def _strip(pair: Pair) -> Any:
    chains = [list(chain) for chain in SMPL_22.chains]
    figure, axes = pyplot().subplots(
        len(pair.rows) * 2,
        1,
        figsize=(8, 2.9 * len(pair.rows)),
        layout="constrained",
        squeeze=False,
    )
    for number, row in enumerate(pair.rows):
        for line, (name, samples) in enumerate(pair.models.items()):
            axis = axes[2 * number + line, 0]
            joints = samples.joints[row]
            moments = torch.linspace(0, len(joints) - 1, MOMENTS).long().tolist()
            limbs = []
            for place, frame in enumerate(moments):
                pose = centred(joints[frame], joints[frame])
                across = 0.85 * pose[:, 0] + 0.5 * pose[:, 2] + 1.1 * place
                points = torch.stack([across, pose[:, 1]], dim=1).numpy()
                limbs += [points[chain] for chain in chains]
            colors = [PALETTE[index % 2] for index in range(len(chains))] * len(moments)
            axis.add_collection(LineCollection(limbs, colors=colors, lw=1.4, capstyle="round"))
            axis.axhline(0, color="0.8", lw=0.8, zorder=0)
            axis.set_aspect("equal")
            axis.set(xlim=(-0.8, 8.5), ylim=(-0.1, 2.25))
            axis.axis("off")
            caption = f"“{samples.captions[row]}”, {name}" if line == 0 else name
            axis.set_title(caption, fontsize=8, loc="left", pad=1)
    return figure


FIGURE = FigureFile(
    question="backbone",
    caption="eight moments of a motion, base above fine-tuned",
    source="12",
    order=160,
    draw=strips,
)
