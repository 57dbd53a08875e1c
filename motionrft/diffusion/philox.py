"""Random numbers as a function of a counter (Salmon et al., SC 2011: Philox4x32-10), in torch's integer operations.

Nothing is carried from one number to the next, so that any part of a stream is drawn alone, for many keys at once,
on the device that wants it. The 32-bit words are the same on every device; the normals are computed from them in
float64 and rounded once, so that two devices whose logarithms, sines and cosines are right to a few last bits of
float64 differ in about one number of 1e8, by one last bit of float32.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
WORD = 0xFFFFFFFF
CHUNK = 1 << 16  # counters at once on a CPU: its cache holds them

Words = tuple[Tensor, Tensor, Tensor, Tensor]


def philox(counter: Words, key: tuple[Tensor, Tensor]) -> Words:
    """Four words of each counter and key. All int64 that hold 32 bits, of shapes that broadcast."""
    # torch.broadcast_shapes would load sympy, half a second of every process that samples
    shape = torch.broadcast_tensors(*counter, *key)[0].shape
    c0, c1, c2, c3 = (word.expand(shape).clone() for word in counter)
    k0, k1 = key
    for number in range(ROUNDS):
        if number:
            k0, k1 = (k0 + KEY_STEPS[0]) & WORD, (k1 + KEY_STEPS[1]) & WORD
        # products of 64 bits, the upper of which may read as a sign: the mask takes it away; c1 and c3 keep theirs
        # until the end, where nothing but their lower halves has been used
        first, second = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0 = (second >> 32).bitwise_xor_(c1).bitwise_xor_(k0).bitwise_and_(WORD)
        c2 = (first >> 32).bitwise_xor_(c3).bitwise_xor_(k1).bitwise_and_(WORD)
        c1, c3 = second, first
    return c0, c1.bitwise_and_(WORD), c2, c3.bitwise_and_(WORD)


def normals(seeds: Tensor, step: int, count: int) -> Tensor:
    """Standard normals [B, count], of torch's default type, on the device of seeds [B] (int64, all 64 bits count).

    Row b is a function of (seeds[b], step) alone, and its first numbers do not depend on `count`. step >= 0.
    """
    device, blocks = seeds.device, -(-count // 4)
    key = (seeds & WORD)[:, None], ((seeds >> 32) & WORD)[:, None]
    zero = torch.zeros((), dtype=torch.int64, device=device)
    width = blocks if device.type != "cpu" else max(1, CHUNK // max(len(seeds), 1))
    parts = []
    for begin in range(0, blocks, width):
        block = torch.arange(begin, min(begin + width, blocks), device=device)[None]
        words = philox((block, torch.full_like(zero, step), zero, zero), key)
        parts.append(torch.stack([*box_muller(*words[:2]), *box_muller(*words[2:])], dim=-1))
    drawn = torch.cat(parts, dim=1) if parts else torch.zeros(len(seeds), 0, 4, device=device)
    return drawn.flatten(1)[:, :count].contiguous()


def box_muller(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Two words -> two normals (Box & Muller, 1958): up to 6.8 standard deviations."""
    kind = torch.get_default_dtype()
    radius = first.double().add_(0.5).mul_(2.0**-32).log_().mul_(-2).sqrt_()
    angle = second.double().add_(0.5).mul_(2 * math.pi * 2.0**-32)
    return (angle.cos().mul_(radius)).to(kind), (angle.sin_().mul_(radius)).to(kind)
