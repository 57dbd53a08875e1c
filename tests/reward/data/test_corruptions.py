"""Damage is what its name says, and more of it at a higher grade."""

from __future__ import annotations

import numpy as np
import pytest

from motionrft.reward.data.corruptions import FEET, GRADES, KINDS, SPEED_SHARE, corrupt
from reference.tolerance import UNIT, summed


@pytest.fixture
def walk() -> np.ndarray:
    """[60, 22, 3]: joints at fixed places of a body that moves forward, limbs swinging."""
    rng = np.random.default_rng(0)
    body = rng.normal(0.0, 0.3, (22, 3)) + np.array([0.0, 1.0, 0.0])
    time = np.arange(60)[:, None, None]
    swing = 0.2 * np.sin(time * 0.3 + rng.uniform(0, 6, (1, 22, 1)))
    forward = time * np.array([0.0, 0.0, 0.03])
    return (body[None] + swing + forward).astype(np.float32)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_grows_with_the_grade(walk, kind):
    clean = corrupt(walk, kind, 0, [1])
    damage = [np.abs(corrupt(walk, kind, grade, [1]) - clean).mean() for grade in GRADES]
    assert 0 < damage[0] < damage[1] < damage[2]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_same_seed_same_damage_and_length_kept(walk, kind):
    first, second = (corrupt(walk, kind, 2, [5]) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.shape == corrupt(walk, kind, 0, [5]).shape
    frames = int(len(walk) * SPEED_SHARE) if kind == "wrong_speed" else len(walk)
    assert len(first) == frames
    assert np.isfinite(first).all()


def test_feet_slide_while_the_pose_stays(walk):
    slid = corrupt(walk, "foot_sliding", 3, [2])
    pose, slid_pose = walk - walk[:, :1], slid - slid[:, :1]
    unit = UNIT * np.abs(slid).max()
    np.testing.assert_allclose(slid_pose, pose, atol=4 * unit)
    assert np.abs(slid[:, FEET] - walk[:, FEET])[..., 1].max() < 2 * unit


def test_whole_reversal_and_swap_are_involutions(walk):
    np.testing.assert_allclose(corrupt(walk, "time_reversal", 3, [0])[::-1], walk)
    twice = corrupt(corrupt(walk, "limb_swap", 3, [0]), "limb_swap", 3, [0])
    np.testing.assert_allclose(twice, walk)


def test_smoothing_keeps_a_still_pose_and_jitter_does_not():
    still = np.ones((40, 22, 3), np.float32)
    np.testing.assert_allclose(corrupt(still, "smoothing", 3, [0]), still, atol=summed(40))
    assert corrupt(still, "jitter", 1, [0]).std() == pytest.approx(0.005, rel=0.1)
