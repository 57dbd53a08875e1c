"""ACMDM's velocity network: a transformer over patches of joints, modulated by time and text (DiT).

Parameter names are the official ones (`models/ACMDM.py`). Tokens run over time first, then over the
patches of a frame. Size S: 8 layers of 512 channels, heads of 64.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionrft.networks.positions import timestep_sinusoid
from motionrft.networks.rope import rotary_table, rotate

HEAD = 64
JOINTS = 22
SINUSOID = 256
Rotation = tuple[Tensor, Tensor]


def rope_base(tokens: int) -> int:
    """The base that ACMDM fits to the longest sequence: 49 -> 200, 196 -> 500, 49 x 11 -> 1400."""
    return (int(8 * tokens / math.pi) // 100 + 1) * 100


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """x (1 + scale) + shift: the adaptive norm of DiT (Peebles & Xie, 2023, section 3.2)."""
    return x * (1 + scale) + shift


class TimeEmbedder(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(SINUSOID, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        """t [B] in [0, 1], not scaled -> [B, D]."""
        sinusoid = timestep_sinusoid(t, SINUSOID)
        output: Tensor = self.mlp(sinusoid.to(self.mlp.get_parameter("0.weight").dtype))
        return output


class Attention(nn.Module):
    """Self-attention with RMS-normalised, rotated queries and keys."""

    def __init__(self, width: int):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.q_norm, self.k_norm = nn.RMSNorm(HEAD, eps=1e-6), nn.RMSNorm(HEAD, eps=1e-6)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, keep: Tensor | None, rotation: Rotation) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, -1, HEAD)).permute(2, 0, 3, 1, 4)
        q = rotate(self.q_norm(q), *rotation, interleaved=False)
        k = rotate(self.k_norm(k), *rotation, interleaved=False)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=keep)
        output: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return output


class SwiGLU(nn.Module):
    def __init__(self, width: int, inner: int):
        super().__init__()
        self.w12 = nn.Linear(width, 2 * inner)
        self.w3 = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.w12(x).chunk(2, dim=-1)
        output: Tensor = self.w3(F.silu(gate) * value)
        return output


class Block(nn.Module):
    def __init__(self, width: int, feedforward: int):
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(width, eps=1e-6), nn.RMSNorm(width, eps=1e-6)
        self.attn = Attention(width)
        self.mlp = SwiGLU(width, int(2 / 3 * feedforward))
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def forward(self, x: Tensor, y: Tensor, keep: Tensor | None, rotation: Rotation) -> Tensor:
        shift1, scale1, gate1, shift2, scale2, gate2 = self.adaLN_modulation(y).chunk(6, dim=-1)
        x = x + gate1 * self.attn(modulate(self.norm1(x), shift1, scale1), keep, rotation)
        output: Tensor = x + gate2 * self.mlp(modulate(self.norm2(x), shift2, scale2))
        return output


class FinalLayer(nn.Module):
    def __init__(self, width: int, outputs: int):
        super().__init__()
        self.norm_final = nn.RMSNorm(width, eps=1e-6)
        self.linear = nn.Linear(width, outputs)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(y).chunk(2, dim=-1)
        output: Tensor = self.linear(modulate(self.norm_final(x), shift, scale))
        return output


class ACMDMTransformer(nn.Module):
    """channels: of a joint (4 latent, 3 raw); patch: joints a token; frames: longest sequence."""

    cos: Tensor
    sin: Tensor

    def __init__(
        self,
        channels: int,
        width: int,
        feedforward: int,
        layers: int,
        text: int,
        frames: int,
        patch: int,
        joints: int = JOINTS,
    ):
        super().__init__()
        if width % HEAD or joints % patch:
            raise ValueError(
                f"width {width} must be a multiple of {HEAD}, {joints} joints one of patch {patch}"
            )
        self.channels, self.patch, self.joints = channels, patch, joints
        self.t_embedder = TimeEmbedder(width)
        self.x_embedder = nn.Conv2d(channels, width, (1, patch), (1, patch))
        self.ACMDMTransformer = nn.ModuleList(Block(width, feedforward) for _ in range(layers))
        self.y_embedder = nn.Linear(text, width)
        self.final_layer = FinalLayer(width, channels * patch)
        tokens = frames * (joints // patch)
        # the exponents span [0, 1] with both ends, unlike the usual 2i/d
        positions = torch.arange(tokens)
        exponents = torch.linspace(0, HEAD, HEAD // 2, device=positions.device).double() / HEAD
        frequencies = rope_base(tokens) ** -exponents
        cos, sin = rotary_table(positions, frequencies, interleaved=False)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self.initialise()

    def initialise(self) -> None:
        """Xavier for linears, N(0, 0.02) for the time MLP, zero for modulations and the output."""
        for name, module in self.named_modules():
            if not isinstance(module, nn.Linear):
                continue
            nn.init.zeros_(module.bias)
            if "adaLN_modulation" in name or name == "final_layer.linear":
                nn.init.zeros_(module.weight)
            elif name.startswith("t_embedder"):
                nn.init.normal_(module.weight, std=0.02)
            else:
                nn.init.xavier_uniform_(module.weight)

    def forward(self, x: Tensor, t: Tensor, text: Tensor, valid: Tensor | None = None) -> Tensor:
        """Velocity [B, n, J, C] of x [B, n, J, C] at t [B] (0 = noise, 1 = data).

        text [B, P]; zeros are the null condition. valid [B, n]: frames that may be attended to.
        """
        frames, patches = x.shape[1], self.joints // self.patch
        tokens = frames * patches
        if tokens > len(self.cos):
            raise ValueError(f"{tokens} tokens, but this network has positions for {len(self.cos)}")
        weight = self.x_embedder.weight[:, :, 0].transpose(1, 2).flatten(1)  # [D, patch * C]
        h = F.linear(x.reshape(len(x), tokens, -1), weight, self.x_embedder.bias)
        y = (self.t_embedder(t) + self.y_embedder(text))[:, None]
        keep = None if valid is None else valid.repeat_interleave(patches, dim=1)[:, None, None]
        rotation = self.cos[:tokens], self.sin[:tokens]
        for block in self.ACMDMTransformer:
            h = block(h, y, keep, rotation)
        output: Tensor = self.final_layer(h, y).reshape(len(x), frames, self.joints, self.channels)
        return output
