"""HY-Motion's token refiner: two gated self-attention blocks over the caption's token states.

Parameter names are the official ones (`hymotion/network/token_refiner.py`).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionrft.networks.positions import timestep_sinusoid

EPSILON = 1e-6


class Projector(nn.Module):
    """Linear, SiLU, linear."""

    def __init__(self, inputs: int, width: int):
        super().__init__()
        self.linears = nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.linears(x)
        return output


class TimeEncoder(nn.Module):
    """t [B] in [0, 1] -> [B, D]: a sinusoid of `factor` t, then linear, SiLU, linear."""

    def __init__(self, width: int, factor: float):
        super().__init__()
        self.width, self.factor = width, factor
        self.blocks = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        sinusoid = timestep_sinusoid(t * self.factor, self.width)
        output: Tensor = self.blocks(sinusoid.to(self.blocks.get_parameter("0.weight").dtype))
        return output


class Modulation(nn.Module):
    """`parts` chunks of a linear map of the activated adapter."""

    def __init__(self, width: int, parts: int):
        super().__init__()
        self.parts = parts
        self.linear = nn.Linear(width, parts * width)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, adapter: Tensor) -> tuple[Tensor, ...]:
        output: tuple[Tensor, ...] = self.linear(F.silu(adapter)).chunk(self.parts, dim=-1)
        return output


class FeedForward(nn.Module):
    def __init__(self, width: int, inner: int, activation: nn.Module):
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.Linear(width, inner), activation, nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.fc2(self.act(self.fc1(x)))
        return output


class RefinerBlock(nn.Module):
    """Pre-norm attention (LayerNorm on queries and keys, no positions) and MLP, each with a gate only."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, eps=EPSILON)
        self.self_attn_qkv = nn.Linear(width, 3 * width)
        self.self_attn_q_norm = nn.LayerNorm(width // heads, eps=EPSILON)
        self.self_attn_k_norm = nn.LayerNorm(width // heads, eps=EPSILON)
        self.self_attn_proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, eps=EPSILON)
        self.mlp = FeedForward(width, 4 * width, nn.SiLU())
        self.adaLN_modulation = Modulation(width, 2)

    def forward(self, x: Tensor, state: Tensor, allowed: Tensor) -> Tensor:
        attention_gate, mlp_gate = self.adaLN_modulation(state)
        qkv = self.self_attn_qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        q, k = self.self_attn_q_norm(q), self.self_attn_k_norm(k)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        x = x + attention_gate * self.self_attn_proj(mixed.transpose(1, 2).flatten(2))
        output: Tensor = x + mlp_gate * self.mlp(self.norm2(x))
        return output


class IndividualRefiner(nn.Module):
    def __init__(self, width: int, heads: int, layers: int):
        super().__init__()
        self.blocks = nn.ModuleList(RefinerBlock(width, heads) for _ in range(layers))


class TokenRefiner(nn.Module):
    """Its own time encoder sees t unscaled, unlike the main one."""

    def __init__(self, width: int, heads: int, layers: int = 2):
        super().__init__()
        self.input_embedder = nn.Linear(width, width)
        self.context_encoder = Projector(width, width)
        self.timestep_encoder = TimeEncoder(width, factor=1.0)
        self.individual_token_refiner = IndividualRefiner(width, heads, layers)

    def forward(self, tokens: Tensor, t: Tensor, mask: Tensor) -> Tensor:
        """tokens [B, L, D], t [B], mask [B, L] True = a token -> [B, L, D].

        Padded rows see only themselves; a caption without tokens pools to zero instead of dividing by it.
        """
        real = mask[..., None].to(tokens.dtype)
        pooled = (tokens * real).sum(1) / real.sum(1).clamp(min=1)
        state = (self.timestep_encoder(t) + self.context_encoder(pooled))[:, None]
        itself = torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)
        allowed = (mask[:, :, None] & mask[:, None, :]) | itself
        x: Tensor = self.input_embedder(tokens)
        for block in self.individual_token_refiner.blocks:
            x = block(x, state, allowed[:, None])
        return x
