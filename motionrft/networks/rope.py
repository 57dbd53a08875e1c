"""Rotary positions (Su et al., RoFormer), in the two channel layouts of the field.

`interleaved`: channels (2i, 2i+1) turn together (HY-Motion, FLUX); otherwise channels (i, i + d/2) do
(LLaMA, ACMDM).
"""

from __future__ import annotations

import torch
from torch import Tensor


def rotary_table(
    positions: Tensor, frequencies: Tensor, interleaved: bool
) -> tuple[Tensor, Tensor]:
    """positions [n], frequencies [d/2] in radians a position -> cos, sin [n, d]."""
    angles = positions.float()[:, None] * frequencies.float()
    angles = angles.repeat_interleave(2, dim=-1) if interleaved else torch.cat([angles, angles], -1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool) -> Tensor:
    """x [..., n, d] turned by the angles of its positions, computed in float32 or finer."""
    y = x.to(torch.promote_types(x.dtype, torch.float32))
    if interleaved:
        turned = torch.stack([-y[..., 1::2], y[..., 0::2]], dim=-1).flatten(-2)
    else:
        first, second = y.chunk(2, dim=-1)
        turned = torch.cat([-second, first], dim=-1)
    return (y * cos + turned * sin).to(x.dtype)
