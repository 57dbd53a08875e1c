from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from motionrft.metrics.distances import cosine, euclidean, hits, ranks


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_tie_rule_is_the_expectation_over_orders():
    distances = torch.tensor([[1.0, 1.0, 1.0, 0.5]] * 4, dtype=torch.float64)
    closer, ties = ranks(distances)
    assert closer.tolist() == [1, 1, 1, 0]
    assert ties.tolist() == [2, 2, 2, 0]
    assert hits(closer, ties, (1, 2, 4))[0].tolist() == pytest.approx([0.0, 1 / 3, 1.0])


@given(st.integers(0, 2**31), st.integers(2, 40))
def test_ranks_equal_a_sorted_list(seed, count):
    d = euclidean(normal(count, 3, seed=seed), normal(count, 3, seed=seed + 1))
    expected = [sorted(row.tolist()).index(row[i].item()) for i, row in enumerate(d)]
    assert ranks(d)[0].tolist() == expected


def test_large_galleries_agree_with_the_exact_distances():
    a, b = 50 + normal(600, 16), 50 + normal(600, 16, seed=1)
    exact = torch.linalg.vector_norm(a[:, None] - b[None], dim=-1)
    assert torch.allclose(euclidean(a, b), exact, rtol=1e-10, atol=1e-10)
    assert torch.equal(ranks(euclidean(a, b))[0], ranks(exact)[0])


def test_cosine_ignores_length():
    x, y = normal(5, 3), normal(5, 3, seed=1)
    assert torch.allclose(cosine(x, y), cosine(2 * x, 9 * y))
