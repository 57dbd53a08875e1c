from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_evaluator import small_evaluator

from reference.tolerance import UNIT, rounding
from tests.same import assert_same

HALF = 2.0**-8  # what a number of eight binary digits rounds by, relative to it (bf16)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(4, 40), min_size=2, max_size=6), st.integers(0, 100))
def test_ragged_is_alone(lengths, seed):
    evaluator = small_evaluator(max_frames=40)
    generator = torch.Generator().manual_seed(seed)
    motions = [torch.randn(length, 20, generator=generator) for length in lengths]
    together = evaluator.embed_motions(motions)
    alone = torch.cat([evaluator.embed_motions([motion]) for motion in motions])
    torch.testing.assert_close(together, alone, **rounding(evaluator))


def test_padding_in_the_training_space_moves_the_last_token_only_when_it_is_seen():
    evaluator = small_evaluator(max_frames=40)
    motions = [torch.randn(16, 20), torch.randn(40, 20)]
    plain = evaluator.embed_motions(motions)
    leaked = evaluator.embed_motions(motions, padding=evaluator.normaliser.mean + 3.0)
    assert not torch.allclose(plain[0], leaked[0], atol=1e-4)
    assert torch.equal(plain[1], leaked[1])  # no padding at the full length


@pytest.mark.usefixtures("float64")
def test_broken_and_short_motions_are_nan_and_nobody_else_is():
    evaluator = small_evaluator()
    broken = torch.randn(12, 20)
    broken[3, 2] = float("inf")
    motions = [torch.randn(12, 20), broken, torch.randn(3, 20), torch.randn(8, 20)]
    found = evaluator.embed_motions(motions)
    assert found.isnan().all(1).tolist() == [False, True, True, False]
    assert_same(found[0], evaluator.embed_motions(motions[:1])[0])


def test_without_a_precision_the_networks_run_as_they_are():
    evaluator = small_evaluator(max_frames=40)
    motion = torch.randn(40, 20)
    words, lengths = torch.randn(3, 4, 5), torch.tensor([4, 2, 1])
    with torch.no_grad():
        seen = (motion - evaluator.normaliser.mean) / evaluator.normaliser.std
        expected = evaluator.encode_motions(seen[None], torch.tensor([40]))
        captions = evaluator.encode_texts(words, None, lengths)
    for options in ({}, {"precision": "fp32"}):
        assert torch.equal(evaluator.embed_motions([motion], **options), expected)
        found = evaluator.embed_texts(["a", "b", "c"], lambda _: (words, None, lengths), **options)
        assert torch.equal(found, captions)


def embedded(evaluator, precision):
    """Forty motions, the fourth broken, and forty captions of up to four words."""
    generator = torch.Generator().manual_seed(1)
    lengths = [40, 24, 36, 16, 8] * 8
    motions = [torch.randn(length, 20, generator=generator) for length in lengths]
    motions[3][2, 1] = float("nan")
    words = torch.randn(40, 4, 5, generator=generator), None, torch.tensor([4, 2, 1, 3] * 10)
    return (
        evaluator.embed_motions(motions, precision=precision, batch_size=16),
        evaluator.embed_texts(["a caption"] * 40, lambda _: words, precision=precision),
    )


def test_bf16_embeddings_are_near_and_in_float32():
    """A product rounds its two factors and its result, each by at most HALF of it. The way through the networks has
    seven products (two convolutions, four linear layers, the recurrence's input) and two a token in the recurrence: of n
    independent roundings the result has at most sqrt(n) HALF, in norm over all embeddings."""
    evaluator = small_evaluator(max_frames=40).requires_grad_(False)
    exact, half = (embedded(evaluator, precision) for precision in ("fp32", "bf16"))
    for expected, found, tokens in zip(exact, half, (10, 4), strict=True):
        assert found.dtype == torch.float32
        assert torch.equal(found.isnan(), expected.isnan())
        apart = (found - expected).nan_to_num().norm() / expected.nan_to_num().norm()
        assert apart < (3 * (7 + 2 * tokens)) ** 0.5 * HALF
        assert apart > 100 * UNIT  # more than the order of float32 sums
    assert not any(weight.requires_grad for weight in evaluator.parameters())
    assert not torch.is_autocast_enabled("cpu")


def test_bf16_networks_see_what_those_in_float32_see(monkeypatch):
    """Motions are normalised before anything is rounded."""
    evaluator, seen = small_evaluator(max_frames=40), []
    encode = evaluator.encode_motions

    def watched(features, lengths):
        seen.append((features.clone(), torch.is_autocast_enabled("cpu")))
        return encode(features, lengths)

    monkeypatch.setattr(evaluator, "encode_motions", watched)
    for precision in ("fp32", "bf16"):
        embedded(evaluator, precision)
    plain, half = seen[: len(seen) // 2], seen[len(seen) // 2 :]
    assert {cast for _, cast in plain} == {False}
    assert {cast for _, cast in half} == {True}
    for (features, _), (others, _) in zip(plain, half, strict=True):
        assert features.dtype == others.dtype == torch.float32
        assert torch.equal(features[features.isfinite()], others[others.isfinite()])
