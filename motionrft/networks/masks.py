"""Which frames of a padded batch count."""

from __future__ import annotations

import torch
from torch import Tensor


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """lengths [B] -> [B, frames], True = valid."""
    return torch.arange(frames, device=lengths.device)[None] < lengths[:, None]
