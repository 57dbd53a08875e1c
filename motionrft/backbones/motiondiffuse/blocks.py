"""The blocks of MotionDiffuse (Zhang et al., 2022): attention in linear time, each branch stylised.

A branch's output is normalised, scaled and shifted by the time-and-text embedding, projected and
added (`StylizationBlock`). Parameter names are the official ones; all tensors are batch first.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ATTENTIONS = ("efficient", "full", "full_official")
OFFICIAL_PENALTY = -100000.0


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
        return self.out_layers(self.norm(h) * (1 + scale) + shift)


class StylisedAttention(nn.Module):
    """x + stylise(attention(norm(x), source)), the source being x itself or the text.

    efficient       context = softmax_time(k)^T v, y = softmax_head(q) context: linear in time
    full            softmax(q k^T / sqrt(d)) v on the fused kernel
    full_official   the official `no_eff` layer: its mask lies on the query axis, where the softmax over
                    keys cancels it but for rounding, so that padding takes part in every frame
    """

    def __init__(
        self, hidden: int, source: int, heads: int, embedding: int, dropout: float, attention: str
    ):
        super().__init__()
        if hidden % heads:
            raise ValueError(f"{hidden} channels do not divide into {heads} heads")
        self.heads, self.attention, self.drop = heads, attention, dropout
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
        y = self._mix(q, k, v, valid).transpose(1, 2).flatten(2)
        return x + self.proj_out(y, style)

    def _mix(self, q: Tensor, k: Tensor, v: Tensor, valid: Tensor | None) -> Tensor:
        """q, k, v [B, H, n, d] -> [B, H, T, d]."""
        if self.attention == "efficient":
            if valid is not None:
                k = k.masked_fill(~valid[:, None, :, None], torch.finfo(k.dtype).min)
            return q.softmax(dim=-1) @ (k.softmax(dim=2).transpose(2, 3) @ v)
        dropout = self.drop if self.training else 0.0
        if self.attention == "full":
            mask = None if valid is None else valid[:, None, None]
            return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
        logits = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
        if valid is not None:
            logits = logits + (~valid)[:, None, :, None] * OFFICIAL_PENALTY
        return F.dropout(logits.softmax(dim=-1), dropout) @ v


class CrossAttention(StylisedAttention):
    """Attention to the text [B, S, s], normalised here."""

    def __init__(
        self, hidden: int, source: int, heads: int, embedding: int, dropout: float, attention: str
    ):
        super().__init__(hidden, source, heads, embedding, dropout, attention)
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
        return x + self.proj_out(inner, style)


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
        attention: str,
    ):
        super().__init__()
        # the text has no query-axis mask, so that the official full attention is the plain one there
        over_text = "full" if attention == "full_official" else attention
        self.sa_block = StylisedAttention(hidden, hidden, heads, embedding, dropout, attention)
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
        return self.ffn(self.ca_block(x, style, text, text_valid), style)
