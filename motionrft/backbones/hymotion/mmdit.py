"""HY-Motion 1.0's network: a two-stream diffusion transformer (MMDiT) over motion frames and text tokens.

Text queries never see motion. The text stream is therefore computed first and by itself (`read`): it yields
every block's text keys and values, which the motion stream (`forward`) attends to. This is the official
joint attention, at a fraction of its cost, and the text half is the same for equal captions at equal times.
Parameter names are the official ones (`hymotion/network/hymotion_mmdit.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionrft.backbones.hymotion.options import HYMotionOptions
from motionrft.backbones.hymotion.refiner import (
    EPSILON,
    FeedForward,
    Modulation,
    Projector,
    TimeEncoder,
    TokenRefiner,
)
from motionrft.networks.rope import rotary_table, rotate

THETA = 10_000.0
Rotation = tuple[Tensor, Tensor]
KeyValue = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class TextStream:
    """What the motion stream needs of time and text.

    adapter  [B, D]               time + sentence, modulates everything
    keys     [B, blocks, H, L, d] rotated text keys of every block, and values likewise
    mask     [B, L]               True = a token
    """

    adapter: Tensor
    keys: Tensor
    values: Tensor
    mask: Tensor

    def select(self, index: Tensor) -> TextStream:
        return TextStream(
            self.adapter[index], self.keys[index], self.values[index], self.mask[index]
        )


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """norm(x) (1 + scale) + shift: the adaptive norm of DiT (Peebles & Xie, 2023, section 3.2)."""
    normal = F.layer_norm(x, x.shape[-1:], eps=EPSILON)
    return normal * (1 + scale) + shift


def split_heads(qkv: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """[B, n, 3 D], ordered (q, k, v) then heads -> three [B, H, n, d]."""
    q, k, v = qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    return q, k, v


def attend(q: Tensor, stream: KeyValue, text: KeyValue | None, allowed: Tensor) -> Tensor:
    """Attention to a stream's own keys and, for motion, to the text's: [B, H, n, d] -> [B, n, D]."""
    k, v = stream
    if text is not None:
        k, v = torch.cat([k, text[0]], dim=2), torch.cat([v, text[1]], dim=2)
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
    return mixed.transpose(1, 2).flatten(2)


class DoubleBlock(nn.Module):
    """Motion and text with weights of their own."""

    def __init__(self, width: int, heads: int, mlp_ratio: float):
        super().__init__()
        self.heads = heads
        inner, head = int(width * mlp_ratio), width // heads
        self.motion_mod, self.text_mod = Modulation(width, 6), Modulation(width, 6)
        self.motion_qkv, self.text_qkv = nn.Linear(width, 3 * width), nn.Linear(width, 3 * width)
        self.motion_q_norm, self.motion_k_norm = (
            nn.RMSNorm(head, EPSILON),
            nn.RMSNorm(head, EPSILON),
        )
        self.text_q_norm, self.text_k_norm = nn.RMSNorm(head, EPSILON), nn.RMSNorm(head, EPSILON)
        self.motion_out_proj, self.text_out_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.motion_mlp = FeedForward(width, inner, nn.GELU(approximate="tanh"))
        self.text_mlp = FeedForward(width, inner, nn.GELU(approximate="tanh"))

    def motion(
        self, x: Tensor, adapter: Tensor, rotation: Rotation, text: KeyValue, allowed: Tensor
    ) -> Tensor:
        shift1, scale1, gate1, shift2, scale2, gate2 = self.motion_mod(adapter)
        q, k, v = split_heads(self.motion_qkv(modulate(x, shift1, scale1)), self.heads)
        q = rotate(self.motion_q_norm(q), *rotation, interleaved=True)
        k = rotate(self.motion_k_norm(k), *rotation, interleaved=True)
        x = x + gate1 * self.motion_out_proj(attend(q, (k, v), text, allowed))
        output: Tensor = x + gate2 * self.motion_mlp(modulate(x, shift2, scale2))
        return output

    def text(
        self, x: Tensor, adapter: Tensor, rotation: Rotation, allowed: Tensor
    ) -> tuple[Tensor, KeyValue]:
        shift1, scale1, gate1, shift2, scale2, gate2 = self.text_mod(adapter)
        q, k, v = split_heads(self.text_qkv(modulate(x, shift1, scale1)), self.heads)
        q = rotate(self.text_q_norm(q), *rotation, interleaved=True)
        k = rotate(self.text_k_norm(k), *rotation, interleaved=True)
        x = x + gate1 * self.text_out_proj(attend(q, (k, v), None, allowed))
        return x + gate2 * self.text_mlp(modulate(x, shift2, scale2)), (k, v)


class SingleBlock(nn.Module):
    """One set of weights for both streams; attention and MLP side by side."""

    def __init__(self, width: int, heads: int, mlp_ratio: float):
        super().__init__()
        self.heads, self.width, self.inner = heads, width, int(width * mlp_ratio)
        self.modulation = Modulation(width, 3)
        self.linear1 = nn.Linear(width, 3 * width + self.inner)
        self.linear2 = nn.Linear(width + self.inner, width)
        self.q_norm = nn.RMSNorm(width // heads, EPSILON)
        self.k_norm = nn.RMSNorm(width // heads, EPSILON)

    def _run(
        self, x: Tensor, adapter: Tensor, rotation: Rotation, text: KeyValue | None, allowed: Tensor
    ) -> tuple[Tensor, KeyValue]:
        shift, scale, gate = self.modulation(adapter)
        qkv, inner = self.linear1(modulate(x, shift, scale)).split([3 * self.width, self.inner], -1)
        q, k, v = split_heads(qkv, self.heads)
        q = rotate(self.q_norm(q), *rotation, interleaved=True)
        k = rotate(self.k_norm(k), *rotation, interleaved=True)
        mixed = attend(q, (k, v), text, allowed)
        joined = torch.cat([mixed, F.gelu(inner, approximate="tanh")], dim=-1)
        return x + gate * self.linear2(joined), (k, v)

    def motion(
        self, x: Tensor, adapter: Tensor, rotation: Rotation, text: KeyValue, allowed: Tensor
    ) -> Tensor:
        return self._run(x, adapter, rotation, text, allowed)[0]

    def text(
        self, x: Tensor, adapter: Tensor, rotation: Rotation, allowed: Tensor
    ) -> tuple[Tensor, KeyValue]:
        return self._run(x, adapter, rotation, None, allowed)


class FinalLayer(nn.Module):
    def __init__(self, width: int, outputs: int):
        super().__init__()
        self.adaLN_modulation = Modulation(width, 2)
        self.linear = nn.Linear(width, outputs)

    def forward(self, x: Tensor, adapter: Tensor) -> Tensor:
        output: Tensor = self.linear(modulate(x, *self.adaLN_modulation(adapter)))
        return output


class MMDiT(nn.Module):
    """A third of the layers are double blocks, the rest single.

    dim, tokens, sentence: numbers of a frame, of a token's state and of the sentence vector.
    band: frames a frame sees to either side. text_offset: rotary position of the first text token, the frames
    the network was trained on; it stays there however short the motion is, so that padding can be left out.
    """

    frequencies: Tensor

    def __init__(self, options: HYMotionOptions, *, dim: int, tokens: int, sentence: int):
        super().__init__()
        width, heads, layers = options.width, options.heads, options.layers
        self.band = round(options.band * options.fps)
        self.text_offset = options.train_frames
        self.input_encoder = nn.Linear(dim, width)
        self.ctxt_encoder = nn.Linear(tokens, width)
        self.vtxt_encoder = Projector(sentence, width)
        self.timestep_encoder = TimeEncoder(width, options.time_factor)
        self.text_refiner = TokenRefiner(width, heads)
        double = layers // 3
        self.double_blocks = nn.ModuleList(
            DoubleBlock(width, heads, options.mlp_ratio) for _ in range(double)
        )
        self.single_blocks = nn.ModuleList(
            SingleBlock(width, heads, options.mlp_ratio) for _ in range(layers - double)
        )
        self.final_layer = FinalLayer(width, dim)
        head = width // heads
        self.register_buffer(
            "frequencies",
            (THETA ** -(torch.arange(0, head, 2).double() / head)).float(),
            persistent=False,
        )

    def rotation(self, first: int, count: int) -> Rotation:
        """cos, sin [count, d] of the positions first … first + count - 1."""
        positions = torch.arange(first, first + count, device=self.frequencies.device)
        return rotary_table(positions, self.frequencies, interleaved=True)

    def motion_allowed(self, valid: Tensor, mask: Tensor) -> Tensor:
        """valid [B, n], mask [B, L] -> [B, n, n + L]: motion sees real frames in its band and real tokens."""
        place = torch.arange(valid.shape[1], device=valid.device)
        band = (place[:, None] - place[None]).abs() <= self.band
        tokens = mask[:, None].expand(-1, valid.shape[1], -1)
        return torch.cat([band & valid[:, None], tokens], dim=-1)

    def adapter(self, t: Tensor, sentence: Tensor) -> Tensor:
        """t [B], sentence [B, V] -> [B, D]."""
        output: Tensor = self.timestep_encoder(t) + self.vtxt_encoder(sentence)
        return output

    def read(self, t: Tensor, sentence: Tensor, tokens: Tensor, mask: Tensor) -> TextStream:
        """The text stream: t [B] in [0, 1], sentence [B, V], tokens [B, L, C], mask [B, L]."""
        adapter = self.adapter(t, sentence)
        x = self.text_refiner(self.ctxt_encoder(tokens), t, mask)
        rotation = self.rotation(self.text_offset, mask.shape[1])
        # rows of a caption without tokens are never read, but must stay finite
        allowed = (mask | ~mask.any(1, keepdim=True))[:, None, None]
        keys, values = [], []
        for block in [*self.double_blocks, *self.single_blocks]:
            x, (k, v) = block.text(x, adapter[:, None], rotation, allowed)
            keys.append(k)
            values.append(v)
        return TextStream(adapter, torch.stack(keys, 1), torch.stack(values, 1), mask)

    def forward(self, x: Tensor, stream: TextStream, valid: Tensor) -> Tensor:
        """Velocity [B, n, dim] of x [B, n, dim]; valid [B, n] True = a real frame."""
        h = self.input_encoder(x)
        adapter = stream.adapter[:, None]
        rotation = self.rotation(0, x.shape[1])
        allowed = self.motion_allowed(valid, stream.mask)[:, None]
        for index, block in enumerate([*self.double_blocks, *self.single_blocks]):
            text = stream.keys[:, index], stream.values[:, index]
            h = block.motion(h, adapter, rotation, text, allowed)
        output: Tensor = self.final_layer(h, adapter)
        return output
