"""How realistic motions are: means of the measures of `motionrft.motion.realism` over clips."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from motionrft.evaluation.convert import Converter
from motionrft.motion.realism import contact_speed, realism, self_consistency
from motionrft.motion.representation import KINEMATIC


def physics(motions: list[Tensor], joints: list[Tensor], converter: Converter) -> dict[str, float]:
    """Means over clips of every realism measure; clips that are not finite are left out."""
    usable = [
        row for row, clip in enumerate(joints) if len(clip) > 3 and bool(clip.isfinite().all())
    ]
    by_measure: dict[str, list[Tensor]] = {}
    for begin in range(0, len(usable), 128):
        rows = usable[begin : begin + 128]
        lengths = torch.tensor([len(joints[row]) for row in rows])
        batch = pad_sequence([joints[row] for row in rows], batch_first=True)
        values = realism(batch, lengths, converter.fps, converter.skeleton)
        if converter.name == KINEMATIC:
            features = pad_sequence([motions[row] for row in rows], batch_first=True)
            contacts = features[..., -4:]
            values["contact_speed"] = contact_speed(
                batch, contacts, lengths, converter.fps, converter.skeleton
            )
            values["self_consistency_mm"] = self_consistency(
                features, lengths, converter.skeleton, converter.compat, converter.bone_lengths
            )
        for key, value in values.items():
            by_measure.setdefault(key, []).append(value)
    return {key: float(torch.cat(parts).double().mean()) for key, parts in by_measure.items()}
