from __future__ import annotations

import numpy as np
import pytest
import torch

from motionrft.errors import InputError
from motionrft.metrics.generation import (
    diversity,
    fid,
    frechet,
    mm_dist,
    moments,
    multimodality,
    r_precision,
)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_r_precision_of_pairs_at_known_ranks():
    # on a line, text i at i, motion j at j + 1.4: motions i-1 and i-2 are closer to text i than its own
    texts = torch.arange(32.0)[:, None]
    top = r_precision(texts, texts + 1.4, top=(1, 2, 3))
    assert top.tolist() == pytest.approx([1 / 32, 2 / 32, 1.0])


def test_r_precision_of_identical_embeddings_is_one():
    x = normal(64, 8)
    assert r_precision(x, x).tolist() == [1.0, 1.0, 1.0]


def test_one_motion_for_every_text_scores_chance():
    texts = normal(96, 8)
    motions = normal(1, 8, seed=1).expand(96, 8)
    assert r_precision(texts, motions).tolist() == pytest.approx([1 / 32, 2 / 32, 3 / 32])


def test_incomplete_group_is_dropped_and_too_few_is_an_error():
    x, y = normal(70, 4), normal(70, 4, seed=1)
    assert torch.equal(r_precision(x, y), r_precision(x[:64], y[:64]))
    with pytest.raises(InputError, match="31 motions make no group of 32"):
        r_precision(x[:31], y[:31])
    with pytest.raises(InputError, match="no pairs"):
        r_precision(x, y[:64])


def test_a_nan_motion_misses_and_never_beats_another():
    x = normal(32, 6)
    motions = x.clone()
    motions[5] = float("nan")
    assert r_precision(x, motions, top=(1, 10)).tolist() == pytest.approx([31 / 32, 31 / 32])


def test_mm_dist_is_the_mean_distance_of_pairs():
    x = normal(10, 4)
    assert mm_dist(x, x + torch.tensor([3.0, 0, 4.0, 0])) == pytest.approx(5.0)


def test_fid_of_a_shift_is_its_square_and_of_a_scale_is_closed():
    x = normal(500, 6)
    shift = torch.tensor([1.0, -2.0, 0.5, 0, 0, 3.0])
    assert fid(x, x + shift) == pytest.approx(float(shift.square().sum()), rel=1e-10)
    centred = x - x.mean(0)
    trace = float(moments(x)[1].trace())
    assert fid(centred, 3 * centred) == pytest.approx(4 * trace, rel=1e-10)
    assert fid(x, x) == pytest.approx(0.0, abs=1e-9)


def test_fid_against_the_definition_and_symmetric():
    from scipy.linalg import sqrtm

    a, b = normal(60, 5), 0.3 + normal(80, 5, seed=2) @ normal(5, 5, seed=3)
    (m1, c1), (m2, c2) = moments(a), moments(b)
    root = np.real(sqrtm((c1 @ c2).numpy()))
    expected = float((m1 - m2).square().sum() + c1.trace() + c2.trace()) - 2 * np.trace(root)
    assert fid(a, b) == pytest.approx(expected, rel=1e-9)
    assert fid(a, b) == pytest.approx(fid(b, a), rel=1e-9)


def test_fid_of_diagonal_gaussians_and_of_singular_covariances():
    one, other = (
        torch.diag(torch.tensor([4.0, 9.0, 0.0])),
        torch.diag(torch.tensor([1.0, 1.0, 0.0])),
    )
    zero = torch.zeros(3)
    assert frechet(zero, one.double(), zero, other.double()) == pytest.approx(1 + 4)
    few = normal(10, 32)  # fewer motions than dimensions
    assert fid(few, few) == pytest.approx(0.0, abs=1e-8)
    with pytest.raises(InputError, match="no covariance"):
        fid(few, few[:1])


def test_diversity_and_multimodality_closed_forms():
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    assert diversity(x, torch.tensor([0, 0]), torch.tensor([1, 2])) == pytest.approx(3.0)
    # a column can meet itself: distances 5 and 0
    repeats = torch.stack([x[:2], x[:2] + 7])
    assert multimodality(repeats, torch.tensor([0, 1]), torch.tensor([1, 1])) == pytest.approx(2.5)
