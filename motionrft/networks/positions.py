"""Where a token stands and when: learned positions, time-step and guidance sinusoids."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LearnedPositions(nn.Module):
    """A learned table `pe` [rows, 1, hidden], drawn from U[0, 1) and added (MLD's layout)."""

    def __init__(self, hidden: int, rows: int = 500):
        super().__init__()
        self.pe = nn.Parameter(torch.rand(rows, 1, hidden))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, S, h] -> x + pe[:S]."""
        return x + self.first(x.shape[1])

    def first(self, length: int) -> Tensor:
        """The first `length` rows, [1, length, h]."""
        if length > len(self.pe):
            raise ValueError(f"{length} tokens, but the table has {len(self.pe)} positions")
        return self.pe[:length].transpose(0, 1)


def frequencies(exponents: Tensor) -> Tensor:
    """exp(exponents), float32, the same on every processor.

    The last bit of a float32 exp differs between processors and instruction sets, and a phase of 1,000 rad
    makes 6e-5 of it; the float64 one, rounded once, is the float32 number next to the exact value.
    """
    return exponents.double().exp().float()


def interleaved_sinusoid(rows: int, width: int) -> Tensor:
    """The transformer paper's table [rows, width]: even columns sine, odd columns cosine, float32."""
    exponents = torch.arange(0, width, 2).float() * (-math.log(10000.0) / width)
    angles = torch.arange(rows).float()[:, None] * frequencies(exponents)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :width]


def timestep_sinusoid(t: Tensor, width: int) -> Tensor:
    """t [B] -> [cos, sin] [B, width] with frequencies 10000^(-i / (width / 2)), float32.

    The order of operations is diffusers' `get_timestep_embedding`.
    """
    half = width // 2
    steps = torch.arange(half, dtype=torch.float32, device=t.device)
    angles = t.float()[:, None] * frequencies(-math.log(10000.0) * steps / half)
    return F.pad(torch.cat([angles.cos(), angles.sin()], dim=1), (0, width % 2))


def guidance_sinusoid(w: Tensor, width: int) -> Tensor:
    """w [B] -> [sin, cos] [B, width] of 1000 w, frequencies 10000^(-i / (width / 2 - 1)), float32.

    The order of operations is the official one: angles reach 14,000 rad, so that another order of
    float32 roundings moves the embedding by up to 1e-3 (latent consistency models, MotionLCM).
    """
    half = width // 2
    spacing = torch.tensor(math.log(10000.0), dtype=torch.float32, device=w.device) / (half - 1)
    steps = torch.arange(half, dtype=torch.float32, device=w.device)
    angles = (w.float() * 1000.0)[:, None] * frequencies(steps * -spacing)
    return F.pad(torch.cat([angles.sin(), angles.cos()], dim=1), (0, width % 2))


class TimestepEmbedding(nn.Module):
    """linear_2(silu(linear_1(sinusoid + cond_proj(guidance)))), with the parameter names and the start of diffusers'
    module of this name; `cond_proj`, where there is guidance, starts at zero.

    Importing diffusers' own loads the compiler, 1.5 s.
    """

    def __init__(self, width: int, hidden: int, guidance_width: int | None = None):
        super().__init__()
        self.linear_1 = nn.Linear(width, hidden)
        self.cond_proj: nn.Linear | None = None
        if guidance_width is not None:
            self.cond_proj = nn.Linear(guidance_width, width, bias=False)
            nn.init.zeros_(self.cond_proj.weight)
        self.linear_2 = nn.Linear(hidden, hidden)

    def forward(self, sinusoid: Tensor, guidance: Tensor | None = None) -> Tensor:
        """sinusoid [B, width], guidance [B, guidance_width] -> [B, hidden]."""
        if guidance is not None:
            assert self.cond_proj is not None
            sinusoid = sinusoid + self.cond_proj(guidance)
        embedded: Tensor = self.linear_2(F.silu(self.linear_1(sinusoid)))
        return embedded
