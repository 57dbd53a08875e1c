"""HY-Motion's official post-processing of a generated clip: smooth rotations, smooth translation.

The official generator applies it to what it shows (then puts the mesh's lowest vertex on the floor); its
reward fine-tuning and evaluation code does not, and neither do ours.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motionrft.motion.rotation import (
    matrix_from_6d,
    matrix_to_6d,
    matrix_to_quaternion,
    quaternion_to_matrix,
)

RADIUS, SIGMA = 4, 1.0  # Gaussian over rotations, frames
WINDOW, ORDER = 11, 5  # Savitzky-Golay over translation
JOINTS = 22


def smooth(features: Tensor) -> Tensor:
    """Raw features [B, T, 135 or more] of clips of one length -> translation and rotations smoothed."""
    translation, rotations = features[..., :3], features[..., 3:135].unflatten(-1, (JOINTS, 6))
    rotations = smooth_rotations(matrix_from_6d(rotations, "hymotion"))
    return torch.cat(
        [
            smooth_translation(translation),
            matrix_to_6d(rotations, "hymotion").flatten(-2),
            features[..., 135:],
        ],
        dim=-1,
    )


def smooth_rotations(matrices: Tensor) -> Tensor:
    """[B, T, J, 3, 3] -> Gaussian-weighted averages over time: the top eigenvector of `moments` (Markley et al., 2007,
    eq. 13)."""
    return quaternion_to_matrix(torch.linalg.eigh(moments(matrices)).eigenvectors[..., -1])


def moments(matrices: Tensor) -> Tensor:
    """[B, T, J, 3, 3] -> sum w q q' over the frames around each, [B, T, J, 4, 4] (Markley et al., 2007, eq. 12)."""
    q = continuous(matrix_to_quaternion(matrices))
    offsets = torch.arange(-RADIUS, RADIUS + 1, device=q.device)
    weights = torch.exp(-(offsets.to(q) ** 2) / (2 * SIGMA**2))
    frames = q.shape[1]
    index = (torch.arange(frames, device=q.device)[:, None] + offsets).clamp(0, frames - 1)
    near = q[:, index]  # [B, T, taps, J, 4]
    return torch.einsum("k,btkji,btkjl->btjil", weights / weights.sum(), near, near)


def continuous(q: Tensor) -> Tensor:
    """Quaternions [B, T, J, 4] with signs such that neighbours in time agree."""
    flips = torch.where((q[:, 1:] * q[:, :-1]).sum(-1) < 0, -1.0, 1.0).to(q)
    signs = torch.cat([torch.ones_like(flips[:, :1]), flips.cumprod(1)], dim=1)
    return q * signs[..., None]


def smooth_translation(translation: Tensor) -> Tensor:
    """[B, T, 3] through Savitzky-Golay (11, 5); clips shorter than its window are left as they are.

    In float64: the official float32 call is off by up to 1e-4 m in the first and last five frames, where it
    solves an ill-conditioned fit.
    """
    if translation.shape[1] < WINDOW:
        return translation
    from scipy.signal import savgol_filter  # two seconds to load

    exact = translation.detach().cpu().double().numpy()
    smoothed = savgol_filter(exact, WINDOW, ORDER, axis=1, mode="interp")
    return torch.from_numpy(smoothed).to(translation)
