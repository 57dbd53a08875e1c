from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_evaluator import small_evaluator

from reference.tolerance import rounding
from tests.same import assert_same


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
