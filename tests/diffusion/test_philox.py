"""The counter-based generator against the published vectors of Random123, and what samples rely on."""

from __future__ import annotations

import math

import pytest
import torch

from motionrft.diffusion import philox as module
from motionrft.diffusion.philox import box_muller, normals, philox
from motionrft.diffusion.sampler import SeededNoise

# Random123's known answers, kat_vectors, "philox4x32 10": counter, key, output
VECTORS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip


def words(text: str) -> list[torch.Tensor]:
    return [torch.tensor(int(word, 16)) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "expected"), VECTORS)
def test_published_vectors(counter, key, expected):
    drawn = philox(tuple(words(counter)), tuple(words(key)))
    assert [int(word) for word in drawn] == [int(word) for word in words(expected)]


def plain(seed: int, step: int, block: int) -> list[float]:
    """The four normals of one block, in Python's own integers."""
    c, k = [block, step, 0, 0], [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        first, second = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [
            (second >> 32) ^ c[1] ^ k[0], second & 0xFFFFFFFF,
            (first >> 32) ^ c[3] ^ k[1], first & 0xFFFFFFFF,
        ]  # fmt: skip
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    numbers = []
    for a, b in (c[:2], c[2:]):
        radius = math.sqrt(-2 * math.log((a + 0.5) / 2**32))
        angle = 2 * math.pi * (b + 0.5) / 2**32
        numbers += [radius * math.cos(angle), radius * math.sin(angle)]
    return numbers


@pytest.mark.parametrize("seed", [0, 7, 2**62 - 1, 2**64 - 1])
def test_numbers_are_those_of_plain_python(seed):
    noise = SeededNoise([1, seed], (3, 2))
    for step in (-1, 0, 999):
        expected = [*plain(seed, step + 1, 0), *plain(seed, step + 1, 1)][:6]
        drawn = noise(step)[1].flatten().double()
        assert torch.equal(drawn.float(), torch.tensor(expected).float())


def test_a_sample_depends_on_its_seed_and_step_alone():
    together, alone = SeededNoise([3, 4, 5], (9, 5)), SeededNoise([4], (7, 5))
    assert torch.equal(together.start[1, :7], alone.start[0])
    assert torch.equal(together(2)[1, :7], alone(2)[0])
    drawn = torch.stack([together.start, together(0), together(1)])
    assert drawn.flatten().unique().numel() == drawn.numel()


def test_pieces_of_the_stream_are_the_stream(monkeypatch):
    seeds = torch.tensor([8, 9])
    whole = normals(seeds, 3, 1001)
    monkeypatch.setattr(module, "CHUNK", 64)
    assert torch.equal(normals(seeds, 3, 1001), whole)
    assert normals(seeds, 3, 0).shape == (2, 0)


def test_moments_and_independence():
    """Of 4e5 numbers, within five standard errors of a standard normal's; neighbours, seeds and steps uncorrelated."""
    count = 100_000
    x = normals(torch.arange(4), 1, count).double()
    error = 5 / math.sqrt(x.numel())
    assert abs(float(x.mean())) < error
    assert abs(float(x.square().mean()) - 1) < error * math.sqrt(2)
    assert abs(float(x.pow(3).mean())) < error * math.sqrt(15)
    assert abs(float(x.pow(4).mean()) - 3) < error * math.sqrt(96)
    # Kolmogorov-Smirnov: 1.95 / sqrt(n) is passed with probability 0.999
    ordered = torch.special.ndtr(x.flatten().sort().values)
    ranks = (torch.arange(x.numel()) + 0.5) / x.numel()
    assert float((ordered - ranks).abs().max()) < 1.95 / math.sqrt(x.numel())
    for a, b in (
        (x[:, 1:], x[:, :-1]),
        (x[:, 4:], x[:, :-4]),
        (x[1:], x[:-1]),
        (x, normals(torch.arange(4), 2, count).double()),
    ):
        assert abs(float((a * b).mean())) < 5 / math.sqrt(a.numel())


def test_the_ends_of_the_words_are_finite():
    ends = torch.tensor([0, 2**32 - 1])
    for part in box_muller(ends.repeat_interleave(2), ends.repeat(2)):
        assert part.isfinite().all()
        assert part.abs().max() < 6.8
