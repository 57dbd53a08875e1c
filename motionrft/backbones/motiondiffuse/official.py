"""MotionDiffuse's official file `model/latest.tar`: {encoder, opt_encoder, ep, total_it}, or its `encoder` alone.

`encoder` holds the CLIP it was trained with under `clip.*` (`motionrft.backbones.embedded_clip` takes that).
"""

from __future__ import annotations

from pathlib import Path

import torch

from motionrft import checkpoints
from motionrft.backbones.motiondiffuse.model import MotionDiffuse

CLIP = "clip."
LR = 2e-4


def load(backbone: MotionDiffuse, path: Path) -> checkpoints.LoadReport:
    """All of the backbone from `path`; `../meta/{mean,std}.npy` beside it become the network's normalisation."""
    stored = checkpoints.read_checkpoint(path, "encoder", flat=True)
    weights, ignored = checkpoints.split_ignored(stored, (CLIP,))
    checkpoints.load_into(backbone, {**weights, **backbone.statistics.in_backbone()}, path)
    note = backbone.statistics.read_beside(path)
    return checkpoints.LoadReport(str(path), list(weights), ignored, (note,))


def export(backbone: MotionDiffuse, path: Path, like: Path | None) -> None:
    """The whole layout, with a fresh optimiser and, of `like`, the CLIP: the official code loads it strictly."""
    weights, _ = checkpoints.split_ignored(checkpoints.copies(backbone), ("statistics.",))
    if like is not None:
        stored = checkpoints.read_checkpoint(like, "encoder")
        weights |= {name: value for name, value in stored.items() if name.startswith(CLIP)}
    optimiser = torch.optim.Adam(backbone.parameters(), lr=LR).state_dict()
    checkpoints.write_checkpoint(
        path, {"opt_encoder": optimiser, "ep": 0, "total_it": 0, "encoder": weights}
    )
