"""Graded damage to real motions: honest preference pairs for corpora without human labels.

Each kind takes joints [T, 22, 3] (metres, Y up), a grade 1 … 3 and a generator, and returns the damaged
motion; every kind is monotone in the grade. `wrong_speed` needs a source longer than its result, so
it returns the first `SPEED_SHARE` of the frames; all others keep the length.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter1d

GRADES = (1, 2, 3)
SPEED_SHARE = 0.5
# SMPL-22: chains below hips and collars, left then right
LEGS = ((1, 4, 7, 10), (2, 5, 8, 11))
ARMS = ((13, 16, 18, 20), (14, 17, 19, 21))
FEET = (7, 8, 10, 11)


def jitter(joints: np.ndarray, grade: int, rng: np.random.Generator) -> np.ndarray:
    """White noise of 0.5, 1.5, 4 cm on every joint."""
    sigma = (0.005, 0.015, 0.04)[grade - 1]
    return joints + rng.normal(0.0, sigma, joints.shape)


def foot_sliding(joints: np.ndarray, grade: int, rng: np.random.Generator) -> np.ndarray:
    """The body drifts over the floor, to 15, 40, 100 cm a second, while its pose goes on as before."""
    speed = (0.15, 0.4, 1.0)[grade - 1] / 20.0
    turns = gaussian_filter1d(rng.normal(size=(len(joints), 2)), 8, axis=0)
    step = speed * turns / np.maximum(np.abs(turns).max(), 1e-8)
    drift = np.zeros((len(joints), 1, 3))
    drift[:, 0, [0, 2]] = np.cumsum(step, axis=0)
    moved: np.ndarray = joints + drift
    return moved


def limb_swap(joints: np.ndarray, grade: int, rng: np.random.Generator) -> np.ndarray:
    """Left and right arms and legs exchange places for a third, two thirds, all of the clip."""
    frames = round(len(joints) * grade / len(GRADES))
    begin = int(rng.integers(len(joints) - frames + 1))
    window = slice(begin, begin + frames)
    result = joints.copy()
    for left, right in (LEGS, ARMS):
        result[window, left] = joints[window][:, right]
        result[window, right] = joints[window][:, left]
    return result


def frozen_joints(joints: np.ndarray, grade: int, rng: np.random.Generator) -> np.ndarray:
    """One arm, both arms, all limbs keep the pose they have in one frame, relative to the root."""
    arms = list(ARMS) if rng.integers(2) else [ARMS[1], ARMS[0]]
    chains = (arms[:1], arms, [*arms, *LEGS])[grade - 1]
    frame = int(rng.integers(len(joints)))
    result = joints.copy()
    for chain in chains:
        index = list(chain)
        result[:, index] = joints[:, :1] + (joints[frame, index] - joints[frame, :1])
    return result


def wrong_speed(joints: np.ndarray, grade: int, rng: np.random.Generator) -> np.ndarray:
    """Played 1.25, 1.5, 2 times too fast or too slow."""
    factor = (1.25, 1.5, 2.0)[grade - 1]
    factor = factor if rng.integers(2) else 1.0 / factor
    frames = max(int(len(joints) * SPEED_SHARE), 2)
    times = np.minimum(np.arange(frames) * factor, len(joints) - 1)
    below = np.minimum(times.astype(int), len(joints) - 2)
    share = (times - below)[:, None, None]
    played: np.ndarray = (1 - share) * joints[below] + share * joints[below + 1]
    return played


def floating(joints: np.ndarray, grade: int, rng: np.random.Generator) -> np.ndarray:
    """The body rises above the floor or sinks into it, by 6, 15, 35 cm, and comes back."""
    height = (0.06, 0.15, 0.35)[grade - 1] * (1.0 if rng.integers(2) else -1.0)
    rise = np.sin(np.linspace(0.0, np.pi, len(joints))) ** 2
    result = joints.copy()
    result[..., 1] += height * rise[:, None]
    return result


def smoothing(joints: np.ndarray, grade: int, rng: np.random.Generator) -> np.ndarray:
    """Averaged over time with a Gaussian of 1.5, 4, 10 frames."""
    del rng
    sigma = (1.5, 4.0, 10.0)[grade - 1]
    smooth: np.ndarray = gaussian_filter1d(joints, sigma, axis=0, mode="nearest")
    return smooth


def time_reversal(joints: np.ndarray, grade: int, rng: np.random.Generator) -> np.ndarray:
    """The last third, the last two thirds, all of the clip runs backwards."""
    del rng
    begin = len(joints) - round(len(joints) * grade / len(GRADES))
    return np.concatenate([joints[:begin], joints[begin:][::-1]])


Corruption = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]
KINDS: dict[str, Corruption] = {
    entry.__name__: entry
    for entry in (
        jitter,
        foot_sliding,
        limb_swap,
        frozen_joints,
        wrong_speed,
        floating,
        smoothing,
        time_reversal,
    )
}


def corrupt(joints: np.ndarray, kind: str, grade: int, seed: list[int]) -> np.ndarray:
    """joints [T, 22, 3] damaged; grade 0 is the motion itself at the length the kind returns.

    Grades of the same seed share every random choice, so that they differ in strength alone.
    """
    if grade == 0:
        frames = max(int(len(joints) * SPEED_SHARE), 2) if kind == "wrong_speed" else len(joints)
        return joints[:frames]
    return KINDS[kind](joints, grade, np.random.default_rng(seed)).astype(np.float32)
