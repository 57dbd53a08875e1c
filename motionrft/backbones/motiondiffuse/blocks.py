"""The blocks of MotionDiffuse (Zhang et al., 2022): attention in linear time, each branch stylised.

A branch's output is normalised, scaled and shifted by the time-and-text embedding, projected and
added (`StylizationBlock`). Parameter names are the official ones; all tensors are batch first.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# (q, k, v [B, H, n, d], valid [B, S] or None: True = counts, dropout) -> [B, H, T, d]
Mixing = Callable[[Tensor, Tensor, Tensor, Tensor | None, float], Tensor]


def efficient(q: Tensor, k: Tensor, v: Tensor, valid: Tensor | None, dropout: float) -> Tensor:
    """Attention in linear time (Shen et al., 2021, section 3.2): context = softmax_time(k)^T v, y = softmax_channel(q) context."""
    del dropout
    if valid is not None:
        k = k.masked_fill(~valid[:, None, :, None], torch.finfo(k.dtype).min)
    return q.softmax(dim=-1) @ (k.softmax(dim=2).transpose(2, 3) @ v)


def full(q: Tensor, k: Tensor, v: Tensor, valid: Tensor | None, dropout: float) -> Tensor:
    """softmax(q k^T / sqrt(d)) v."""
    mask = None if valid is None else valid[:, None, None]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)


def zero(linear: nn.Linear) -> nn.Linear:
    """The layer starts as 0, so that a fresh branch adds nothing."""
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


class StylizationBlock(nn.Module):
    """out(silu(norm(h) (1 + scale) + shift)) with scale | shift = linear(silu(emb))."""

    def __init__(self, hidden: int, embedding: int, dropout: float):
        super().__init__()
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, 2 * hidden))
        self.norm = nn.LayerNorm(hidden)
        self.out_layers = nn.Sequential(
            nn.SiLU(), nn.Dropout(dropout), zero(nn.Linear(hidden, hidden))
        )

    def forward(self, h: Tensor, style: Tensor) -> Tensor:
        """h [B, T, h], style = silu(emb) [B, 1, e], computed once for all blocks -> [B, T, h]."""
        scale, shift = self.emb_layers[1](style).chunk(2, dim=-1)
        output: Tensor = self.out_layers(self.norm(h) * (1 + scale) + shift)
        return output


class StylisedAttention(nn.Module):
    """x + stylise(attention(norm(x), source)), the source being x itself or the text; `mix` is the attention."""

    def __init__(
        self, hidden: int, source: int, heads: int, embedding: int, dropout: float, mix: Mixing
    ):
        super().__init__()
        if hidden % heads:
            raise ValueError(f"{hidden} channels do not divide into {heads} heads")
        self.heads, self.mix, self.drop = heads, mix, dropout
        self.norm = nn.LayerNorm(hidden)
        self.query = nn.Linear(hidden, hidden)
        self.key, self.value = nn.Linear(source, hidden), nn.Linear(source, hidden)
        self.proj_out = StylizationBlock(hidden, embedding, dropout)

    def forward(
        self, x: Tensor, style: Tensor, source: Tensor | None = None, valid: Tensor | None = None
    ) -> Tensor:
        """x [B, T, h], source [B, S, s] (normalised; None: x), valid [B, S] True = counts."""
        n = self.norm(x)
        source = n if source is None else source
        q, k, v = (
            layer(tensor).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, tensor in ((self.query, n), (self.key, source), (self.value, source))
        )
        dropout = self.drop if self.training else 0.0
        y = self.mix(q, k, v, valid, dropout).transpose(1, 2).flatten(2)
        output: Tensor = x + self.proj_out(y, style)
        return output


class CrossAttention(StylisedAttention):
    """Attention to the text [B, S, s], normalised here."""

    def __init__(
        self, hidden: int, source: int, heads: int, embedding: int, dropout: float, mix: Mixing
    ):
        super().__init__(hidden, source, heads, embedding, dropout, mix)
        self.text_norm = nn.LayerNorm(source)

    def forward(
        self, x: Tensor, style: Tensor, source: Tensor | None = None, valid: Tensor | None = None
    ) -> Tensor:
        return super().forward(x, style, None if source is None else self.text_norm(source), valid)


class FeedForward(nn.Module):
    """x + stylise(linear2(gelu(linear1(x)))); the only branch that does not normalise its input."""

    def __init__(self, hidden: int, feedforward: int, embedding: int, dropout: float):
        super().__init__()
        self.linear1 = nn.Linear(hidden, feedforward)
        self.linear2 = zero(nn.Linear(feedforward, hidden))
        self.dropout = nn.Dropout(dropout)
        self.proj_out = StylizationBlock(hidden, embedding, dropout)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        inner = self.linear2(self.dropout(F.gelu(self.linear1(x))))
        output: Tensor = x + self.proj_out(inner, style)
        return output


class DecoderBlock(nn.Module):
    """Self-attention over frames, cross-attention to the text, feed-forward."""

    def __init__(
        self,
        hidden: int,
        text: int,
        heads: int,
        feedforward: int,
        embedding: int,
        dropout: float,
        over_frames: Mixing,
        over_text: Mixing,
    ):
        super().__init__()
        self.sa_block = StylisedAttention(hidden, hidden, heads, embedding, dropout, over_frames)
        self.ca_block = CrossAttention(hidden, text, heads, embedding, dropout, over_text)
        self.ffn = FeedForward(hidden, feedforward, embedding, dropout)

    def forward(
        self,
        x: Tensor,
        style: Tensor,
        text: Tensor,
        text_valid: Tensor | None,
        frames_valid: Tensor | None,
    ) -> Tensor:
        x = self.sa_block(x, style, valid=frames_valid)
        output: Tensor = self.ffn(self.ca_block(x, style, text, text_valid), style)
        return output
