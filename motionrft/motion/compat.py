"""The named variants of the kinematic features: the sound one, and what the released data's code does otherwise.

`Corrected` is feature extraction as a clean design has it, in the few places where the official code has habits of
its own. `HumanML3D` overrides each of those places with one habit; each method says what it changes. The half-angle
of channel 0 is part of the layout and stays in both. Features of the two are other numbers, so statistics,
evaluators and scores of the variants must never be mixed.
One more habit is not reproduced: with exactly three frames the official cross product runs over time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motionrft.errors import InputError
from motionrft.motion.rotation import turn
from motionrft.motion.skeleton import Skeleton

HUMANML3D = "humanml3d"
Quaternion = tuple[Tensor, Tensor, Tensor, Tensor]


class Corrected:
    """compat: corrected."""

    def across(self, hips: Tensor, shoulders: Tensor) -> Tensor:
        """[3, B, T], left to right: what a frame's heading is perpendicular to."""
        return hips + shoulders

    def headings(self, half: Tensor) -> Tensor:
        """[2, B, T] half-angle (cosine, sine) of the smoothed headings."""
        return half

    def yaw_step(self, sine: Tensor, cosine: Tensor) -> Tensor:
        """[B, T-1] half-angle sine of the turn between two frames, from a quaternion (cosine, sine) of either sign."""
        return torch.where(cosine < 0, -sine, sine)

    def rotation_parents(self, skeleton: Skeleton) -> tuple[int, ...]:
        """The joint whose rotation each bone's own counts from."""
        return skeleton.parents

    def seen(self, here: Tensor, turned: Tensor, half: Tensor) -> tuple[Tensor, Tensor]:
        """Joints [3, J, B, T] in which bone rotations are seen, and the half-angle [2, B, T] the first count from:
        the body's own heading, so that nothing is left to count from."""
        level = torch.zeros_like(half, dtype=here.dtype)
        return turned, torch.stack([level[0] + 1, level[1]])

    def first_rotation(self, basis: Tensor, half: Tensor) -> Tensor:
        """[B, T, 3, 3] columns of the rotation that recovery starts from: `basis` in the heading."""
        return turn(basis, half, back=True)

    def swing(self, quaternion: Quaternion, size: Tensor, raw: Tensor) -> Quaternion:
        """Unit quaternions (w, x, y, z) of the minimal rotations; a bone against its raw direction
        (raw [3, J-1, 1, 1]) takes the half turn about one fixed perpendicular axis."""
        w, x, y, z = quaternion
        raw_x, raw_y, raw_z = raw.abs()
        norm = _norm(quaternion)
        lost = norm <= 1e-6 * size.clamp_min(1e-6)
        norm = torch.where(lost, 1.0, norm)
        w, y = torch.where(lost, 0.0, w), torch.where(lost, 0.0, y)
        x, z = torch.where(lost, raw_y + raw_z, x), torch.where(lost, raw_x, z)
        return w / norm, x / norm, y / norm, z / norm


class HumanML3D(Corrected):
    """compat: humanml3d, the released data (HumanML3D's motion_representation and common/skeleton.py)."""

    def across(self, hips: Tensor, shoulders: Tensor) -> Tensor:
        """The hip vector is subtracted: the heading follows the shoulders, and is unstable when hips are as wide."""
        return shoulders - hips

    def headings(self, half: Tensor) -> Tensor:
        """Frame 0 is set to +Z after smoothing: the first yaw step also carries the offset that smoothing left."""
        first = torch.zeros_like(half[..., :1]) + half.new_tensor([1.0, 0.0])[:, None, None]
        return torch.cat([first, half[..., 1:]], dim=-1)

    def yaw_step(self, sine: Tensor, cosine: Tensor) -> Tensor:
        """Quaternions keep w >= 0, so the step in which the heading crosses ±180° has the wrong sign, and the
        recovered heading is off from there on."""
        return sine

    def rotation_parents(self, skeleton: Skeleton) -> tuple[int, ...]:
        """The first bone of each arm counts its rotation from the root, not from the chest."""
        return skeleton.chain_parents

    def seen(self, here: Tensor, turned: Tensor, half: Tensor) -> tuple[Tensor, Tensor]:
        """Bones are not seen from the body's heading: the first ones count from its inverse, so that they turn with
        a turning body, and agree with the positions only as frame 0's heading is +Z."""
        return here, half.to(here.dtype)

    def first_rotation(self, basis: Tensor, half: Tensor) -> Tensor:
        return turn(basis, half)

    def swing(self, quaternion: Quaternion, size: Tensor, raw: Tensor) -> Quaternion:
        """A bone exactly opposite to its raw direction is NaN (one without length is in either variant)."""
        norm = _norm(quaternion)
        w, x, y, z = quaternion
        return w / norm, x / norm, y / norm, z / norm


def _norm(quaternion: Quaternion) -> Tensor:
    w, x, y, z = quaternion
    return (w * w + x * x + y * y + z * z).sqrt()


VARIANTS: dict[str, Corrected] = {HUMANML3D: HumanML3D(), "corrected": Corrected()}


def variant(compat: str) -> Corrected:
    if compat not in VARIANTS:
        raise InputError(
            f"unknown variant {compat!r}", field="compat", fix=f"choose from {', '.join(VARIANTS)}"
        )
    return VARIANTS[compat]
