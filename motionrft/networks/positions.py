"""Where a token stands and when: learned positions, time-step and guidance sinusoids."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from diffusers.models.embeddings import TimestepEmbedding
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


def time_embedding(width: int, hidden: int, guidance_width: int | None = None) -> TimestepEmbedding:
    """linear_2(silu(linear_1(sinusoid + cond_proj(guidance)))); `cond_proj` starts at zero."""
    embedding = TimestepEmbedding(width, hidden, cond_proj_dim=guidance_width)
    if embedding.cond_proj is not None:
        nn.init.zeros_(embedding.cond_proj.weight)
    return embedding
