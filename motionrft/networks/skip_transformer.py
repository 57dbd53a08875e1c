"""The U-shaped ("skip") transformer of MLD: post-norm, exact GELU, no position inside the layers.

Parameter names are those of the official checkpoints (input_blocks, middle_block, output_blocks,
linear_blocks, norm), so that their weights load without renaming. Tensors are [B, tokens, hidden].
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionrft.networks.attention import Attention


class EncoderLayer(nn.Module):
    """x = norm1(x + self-attention); x = norm2(x + linear2(gelu(linear1(x))))."""

    def __init__(self, hidden: int, heads: int, feedforward: int, dropout: float = 0.1):
        super().__init__()
        self.self_attn = Attention(hidden, heads, dropout)
        self.linear1, self.linear2 = nn.Linear(hidden, feedforward), nn.Linear(feedforward, hidden)
        self.norm1, self.norm2 = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, valid: Tensor | None = None, keep: int | None = None) -> Tensor:
        """[B, S, h] -> [B, S, h]; with `keep`, only the first `keep` tokens are computed."""
        kept = x if keep is None else x[:, :keep]
        kept = self.norm1(kept + self.dropout(self.self_attn(kept, x, x, valid)))
        inner = self.dropout(F.gelu(self.linear1(kept)))
        result: Tensor = self.norm2(kept + self.dropout(self.linear2(inner)))
        return result


class DecoderLayer(nn.Module):
    """Self-attention, cross-attention to `memory`, feed-forward; each added, then normalised."""

    def __init__(self, hidden: int, heads: int, feedforward: int, dropout: float = 0.1):
        super().__init__()
        self.self_attn = Attention(hidden, heads, dropout)
        self.multihead_attn = Attention(hidden, heads, dropout)
        self.linear1, self.linear2 = nn.Linear(hidden, feedforward), nn.Linear(feedforward, hidden)
        self.norm1, self.norm2 = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.norm3 = nn.LayerNorm(hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        valid: Tensor | None = None,
        memory_valid: Tensor | None = None,
    ) -> Tensor:
        """x [B, T, h], memory [B, n, h], each with its padding mask (True = counts) -> [B, T, h]."""
        x = self.norm1(x + self.dropout(self.self_attn(x, x, x, valid)))
        x = self.norm2(x + self.dropout(self.multihead_attn(x, memory, memory, memory_valid)))
        inner = self.dropout(F.gelu(self.linear1(x)))
        result: Tensor = self.norm3(x + self.dropout(self.linear2(inner)))
        return result


class SkipStack(nn.Module):
    """n = 2k + 1 layers: k going down, one in the middle, k going up.

    Layer i on the way up reads linear_i([x, output of the last unread layer on the way down]).
    """

    def __init__(self, layer: Callable[[], nn.Module], hidden: int, layers: int):
        super().__init__()
        if layers % 2 == 0:
            raise ValueError(f"a skip transformer has an odd number of layers, not {layers}")
        depth = layers // 2
        self.input_blocks = nn.ModuleList(layer() for _ in range(depth))
        self.middle_block = layer()
        self.output_blocks = nn.ModuleList(layer() for _ in range(depth))
        self.linear_blocks = nn.ModuleList(nn.Linear(2 * hidden, hidden) for _ in range(depth))
        self.norm = nn.LayerNorm(hidden)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def run(self, x: Tensor, call: Callable[[nn.Module, Tensor, bool], Tensor]) -> Tensor:
        """The U: `call(block, x, last)` runs one block; `norm` reads what the last returns."""
        below: list[Tensor] = []
        for block in self.input_blocks:
            x = call(block, x, False)
            below.append(x)
        x = call(self.middle_block, x, not below)
        for linear, block in zip(self.linear_blocks, self.output_blocks, strict=True):
            x = linear(torch.cat([x, below.pop()], dim=-1))
            x = call(block, x, not below)
        result: Tensor = self.norm(x)
        return result


class SkipEncoder(SkipStack):
    """A skip stack of encoder layers."""

    def __init__(
        self, hidden: int, heads: int, feedforward: int, layers: int, dropout: float = 0.1
    ):
        super().__init__(lambda: EncoderLayer(hidden, heads, feedforward, dropout), hidden, layers)

    def forward(self, x: Tensor, valid: Tensor | None = None, keep: int | None = None) -> Tensor:
        """x [B, S, h], valid [B, S] True = counts -> [B, S, h], or its first `keep` tokens.

        With `keep` the last layer is computed for those tokens only; the numbers are the same.
        """
        return self.run(x, lambda block, y, last: block(y, valid, keep if last else None))


class SkipDecoder(SkipStack):
    """A skip stack of decoder layers."""

    def __init__(
        self, hidden: int, heads: int, feedforward: int, layers: int, dropout: float = 0.1
    ):
        super().__init__(lambda: DecoderLayer(hidden, heads, feedforward, dropout), hidden, layers)

    def forward(self, x: Tensor, memory: Tensor, valid: Tensor | None = None) -> Tensor:
        """x [B, T, h] with padding mask `valid` [B, T], memory [B, n, h] -> [B, T, h]."""
        return self.run(x, lambda block, y, last: block(y, memory, valid))
