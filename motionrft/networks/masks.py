"""Which frames of a padded batch count."""

from __future__ import annotations

import torch
from torch import Tensor


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """lengths [B] -> [B, frames], True = valid."""
    return torch.arange(frames, device=lengths.device)[None] < lengths[:, None]


def longest(lengths: Tensor) -> int:
    """The greatest of lengths [B]. Of a GPU's, it waits until the GPU is done."""
    return int(lengths.max())
