"""The joint representation: canonical joint positions, flattened to 66 numbers a frame (ACMDM).

It holds the joints recovered from the kinematic features (frame-0 root over the origin, facing +Z, floor
at 0), so that all representations of a clip describe the same motion with the same number of frames.
"""

from __future__ import annotations

from torch import Tensor

from motionrft.motion import kinematic
from motionrft.motion.compat import HUMANML3D
from motionrft.motion.skeleton import SMPL_22, Skeleton


class Joint:
    """`encode` goes through the kinematic features, hence one frame less than the joints it is given."""

    name = "joint"

    def __init__(
        self,
        skeleton: Skeleton = SMPL_22,
        compat: str = HUMANML3D,
        bone_lengths: Tensor | None = None,
    ):
        self.skeleton = skeleton
        self.dim = 3 * len(skeleton)
        self.source = kinematic.Kinematic(skeleton, compat, bone_lengths)

    def encode(self, joints: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Joints [B, T, J, 3], lengths [B] -> features [B, T-1, 3 J], lengths - 1."""
        features, frames = self.source.encode(joints, lengths)
        return self.from_canonical(self.source.decode(features), frames), frames

    def from_canonical(self, joints: Tensor, lengths: Tensor) -> Tensor:
        """Joints that are canonical already [B, T, J, 3] -> features [B, T, 3 J], zero after each length."""
        return kinematic.blank(joints.flatten(-2), lengths)

    def decode(self, features: Tensor) -> Tensor:
        """Features [B, T, 3 J] -> joints [B, T, J, 3]."""
        joints: Tensor = features.unflatten(-1, (len(self.skeleton), 3))
        return joints


REPRESENTATION = Joint()
