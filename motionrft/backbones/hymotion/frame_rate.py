"""Between the frame rate of the data (20 fps) and that of a model (30 fps): linear interpolation in time.

Frame k of the data is at k / 20 s and frame j of the model at j / 30 s, so that a motion keeps its duration.
6D rotations are interpolated like positions and orthonormalised where they are decoded.
"""

from __future__ import annotations

import torch
from torch import Tensor

DATA_FPS = 20


class Clock:
    """fps: of the model. At 20 every map is the identity (the official comparison, which ignores the rates)."""

    def __init__(self, fps: int):
        self.fps = fps

    def frames(self, data: int) -> int:
        """Model frames that cover `data` frames of the data."""
        return -(-(data - 1) * self.fps // DATA_FPS) + 1

    def lengths(self, data: Tensor) -> Tensor:
        return -torch.div(-(data - 1) * self.fps, DATA_FPS, rounding_mode="floor") + 1

    def to_model(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Data frames x [B, T, D] of lengths [B] -> model frames."""
        if self.fps == DATA_FPS:
            return x
        return resample(x, lengths, self.frames(x.shape[1]), DATA_FPS / self.fps)

    def to_data(self, x: Tensor, lengths: Tensor, frames: int) -> Tensor:
        """Model frames x [B, n, D] -> `frames` data frames; `lengths` count data frames."""
        if self.fps == DATA_FPS:
            return x[:, :frames]
        return resample(x, self.lengths(lengths), frames, self.fps / DATA_FPS)


def resample(x: Tensor, lengths: Tensor, frames: int, step: float) -> Tensor:
    """x [B, T, D] at the positions 0, step, 2 step, … -> [B, frames, D].

    Where the last needed position lies beyond a clip's last frame, by less than a step, the last two frames are
    continued in a straight line; padding is held there.
    """
    last = (lengths - 1)[:, None]
    place = torch.arange(frames, device=x.device) * step
    place = torch.minimum(place[None], last + step)
    lower = torch.minimum(place.long(), (last - 1).clamp(min=0))
    upper = torch.minimum(lower + 1, last)
    weight = (place - lower)[..., None].to(x.dtype)

    def at(index: Tensor) -> Tensor:
        return x.gather(1, index[..., None].expand(-1, -1, x.shape[2]))

    return torch.lerp(at(lower), at(upper), weight)
