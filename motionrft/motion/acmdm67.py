"""ACMDM's evaluator input: the first 67 kinematic channels, extracted from joints as they come.

No retargeting, floor, origin or facing. ACMDM extracts from joints padded to a fixed length, so that its smoothing
of the heading mixes padding into valid frames (by up to 0.3 in a 40-frame clip) and makes padding far from
the clip NaN. The sound way extracts from the clip alone and pads afterwards.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motionrft.motion.kinematic import extract
from motionrft.motion.normaliser import Normaliser

CHANNELS = 67
# HumanML3D joints in ACMDM: one mean and deviation an axis.
JOINTS = Normaliser(
    torch.tensor([0.00016345, 0.376632, 0.310191]), torch.tensor([0.514762, 0.610132, 0.871558])
)


def features(joints: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Joints [B, T, 22, 3], lengths [B] -> [B, T-1, 67], lengths - 1; zero after each length."""
    kinematic, frames = extract(joints, lengths)
    return kinematic[..., :CHANNELS], frames


def features_padded(joints: Tensor, lengths: Tensor) -> Tensor:
    """[B, T-1, 67] as ACMDM gets them: padding is zero in normalised space, all joints at the mean, and counts
    as motion. Contains NaN wherever the smoothing window sees padding only."""
    steps = torch.arange(joints.shape[1], device=joints.device)
    valid = steps[None] < lengths.to(joints.device)[:, None]
    filled = torch.where(valid[..., None, None], joints, JOINTS.mean.to(joints))
    kinematic = extract(filled, torch.full_like(lengths, joints.shape[1]))[0][..., :CHANNELS]
    # the official rotation spreads an undefined heading to the heights as well
    return torch.where(kinematic[..., 4:5].isnan(), torch.nan, kinematic)
