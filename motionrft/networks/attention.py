"""Multi-head attention on SDPA, batch first, with the names of `torch.nn.MultiheadAttention`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Scaled dot-product attention; `in_proj_weight` [3h, h] packs query, key, value.

    The averaged attention weights are never built. With a single unmasked key the softmax is 1, so
    the result is the projected value, one row for all queries (when attention dropout is off).
    """

    def __init__(self, hidden: int, heads: int, dropout: float = 0.0):
        super().__init__()
        if hidden % heads:
            raise ValueError(f"{hidden} channels do not divide into {heads} heads")
        self.heads, self.dropout = heads, dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * hidden, hidden))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * hidden))
        self.out_proj = nn.Linear(hidden, hidden)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, valid: Tensor | None = None
    ) -> Tensor:
        """query [B, Q, h], key and value [B, S, h], valid [B, S] True = attended -> [B, Q, h].

        Every sample needs at least one valid key.
        """
        dropout = self.dropout if self.training else 0.0
        if key.shape[1] == 1 and valid is None and dropout == 0.0:
            return self.single(value).expand(-1, query.shape[1], -1)
        q, k, v = (self._heads(tensor) for tensor in self._project(query, key, value))
        mask = None if valid is None else valid[:, None, None, :]
        mixed = attend(q, k, v, mask, dropout)
        projected: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return projected

    def single(self, value: Tensor) -> Tensor:
        """Attention to one key: out_proj(v_proj(value)), [B, 1, h] -> [B, 1, h]."""
        weight, bias = self.in_proj_weight.chunk(3)[2], self.in_proj_bias.chunk(3)[2]
        projected: Tensor = self.out_proj(F.linear(value, weight, bias))
        return projected

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        if query is key and key is value:
            return F.linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        h = query.shape[-1]
        if key is value:
            packed = F.linear(key, self.in_proj_weight[h:], self.in_proj_bias[h:])
            q = F.linear(query, self.in_proj_weight[:h], self.in_proj_bias[:h])
            return q, *packed.chunk(2, dim=-1)
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        inputs = (query, key, value)
        return tuple(F.linear(x, w, b) for x, w, b in zip(inputs, weights, biases, strict=True))

    def _heads(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:-1], self.heads, -1).transpose(1, 2)


def attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, dropout: float = 0.0
) -> Tensor:
    """softmax(q k^T / sqrt(d)) v of heads q [B, H, Q, d], k and v [B, H, S, d]; mask [B, 1, 1, S] True = attended.

    torch's fused form, except in bf16 on a CPU, where products and softmax by themselves take a third of its time.
    """
    if q.dtype != torch.bfloat16 or q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = scores.softmax(dim=-1)
    return F.dropout(weights, dropout) @ v
