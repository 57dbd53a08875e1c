"""How realistic motions are: means of the measures of `motionrft.motion.realism` over clips."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from motionrft.evaluation.convert import Converter
from motionrft.motion.realism import contact_speed, realism, self_consistency
from motionrft.motion.representation import KINEMATIC

BATCH = 128  # clips of like length


def physics(motions: list[Tensor], joints: list[Tensor], converter: Converter) -> dict[str, float]:
    """Means over clips of every realism measure; clips that are not finite are left out."""
    usable = sorted(
        (row for row, clip in enumerate(joints) if len(clip) > 3), key=lambda row: len(joints[row])
    )
    by_measure: dict[str, list[Tensor]] = {}
    for begin in range(0, len(usable), BATCH):
        rows = usable[begin : begin + BATCH]
        lengths = torch.tensor([len(joints[row]) for row in rows])
        batch = pad_sequence([joints[row] for row in rows], batch_first=True)
        finite = batch.isfinite().flatten(1).all(1)
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
            by_measure.setdefault(key, []).append(value[finite])
    means = {key: torch.cat(parts) for key, parts in by_measure.items()}
    return {key: float(values.double().mean()) for key, values in means.items() if len(values)}
