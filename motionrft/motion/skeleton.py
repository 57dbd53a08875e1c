"""The two skeletons of the field: HumanML3D's 22 SMPL joints and KIT-ML's 21.

Y is up, a person who faces +Z has the left side at +x. Bone `j` ends at joint `j`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from motionrft.errors import InputError

X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
NX, NY = (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)


@dataclass(frozen=True)
class Skeleton:
    """Joints, kinematic chains and the constants of HumanML3D's feature extraction.

    joints      names, in order
    chains      the order in which the official code walks the bones; the first entry of a chain is where
                it hangs, the others are the bones it owns
    directions  raw unit direction of each bone (the root's is zero): a bone's rotation is the minimal one
                from this direction to the bone
    lengths     bone lengths of the target skeleton (None where the owner of the data must give them)
    rest        unit directions of the rest pose that the rotation representation starts from (T-pose)
    faces       right hip, left hip, right shoulder, left shoulder
    scale_bones two leg bones whose summed length sets the retargeting scale
    feet        left heel, left toe, right heel, right toe: the order of the four contact channels
    toes        left, right: the joints whose sliding counts as skating
    contact     squared displacement a frame (in squared units) under which a foot is in contact
    clusters    (joint, left child, right child, upper child): joints with three rigidly attached children
    metre       how many units of the data are a metre
    """

    name: str
    joints: tuple[str, ...]
    chains: tuple[tuple[int, ...], ...]
    directions: tuple[tuple[float, float, float], ...]
    lengths: tuple[float, ...] | None
    rest: tuple[tuple[float, float, float], ...]
    faces: tuple[int, int, int, int]
    scale_bones: tuple[int, int]
    feet: tuple[int, int, int, int]
    toes: tuple[int, int]
    mirrored: tuple[tuple[int, int], ...]
    contact: float
    clusters: tuple[tuple[int, int, int, int], ...]
    fps: float
    metre: float

    def __len__(self) -> int:
        return len(self.joints)

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """The joint each bone hangs from; -1 for the root."""
        return self._previous(hang=True)

    @cached_property
    def chain_parents(self) -> tuple[int, ...]:
        """As `parents`, except that the first bone of every chain counts from the root's rotation."""
        return self._previous(hang=False)

    def _previous(self, hang: bool) -> tuple[int, ...]:
        parents = [-1] * len(self)
        for chain in self.chains:
            for before, joint in itertools.pairwise(chain):
                parents[joint] = before if hang or before != chain[0] else 0
        return tuple(parents)

    @cached_property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """Joints by depth below the root, so that a forward pass is one batched product a level."""
        depth = [0] * len(self)
        for chain in self.chains:
            for before, joint in itertools.pairwise(chain):
                depth[joint] = depth[before] + 1
        return tuple(
            tuple(joint for joint in range(len(self)) if depth[joint] == level)
            for level in range(1, max(depth) + 1)
        )

    @cached_property
    def swap(self) -> tuple[int, ...]:
        """The joint that takes each joint's place in the mirror image."""
        order = list(range(len(self)))
        for left, right in self.mirrored:
            order[left], order[right] = right, left
        return tuple(order)

    @cached_property
    def ancestors(self) -> Tensor:
        """[J, J] float32 on the CPU, whoever asks first: 1 where bone `column` lies on the way from the root to joint `row`."""
        table = torch.zeros(len(self), len(self), dtype=torch.float32, device="cpu")
        for joint in range(len(self)):
            bone = joint
            while bone > 0:
                table[joint, bone] = 1.0
                bone = self.parents[bone]
        return table

    def index(self, joint: str) -> int:
        return self.joints.index(joint)

    def bone_lengths(self, lengths: Tensor | None = None) -> Tensor:
        """[J] bone lengths of the target skeleton, the root's zero."""
        if lengths is not None:
            if lengths.shape != (len(self),):
                raise InputError(
                    f"{tuple(lengths.shape)} bone lengths for {len(self)} joints",
                    field="bone_lengths",
                    fix="give one length a joint, 0 for the root",
                )
            return lengths
        if self.lengths is None:
            raise InputError(
                f"the {self.name} target skeleton's bone lengths are not public",
                field="bone_lengths",
                fix="take them from the reference clip of the data set (corpus.reference)",
            )
        return torch.tensor(self.lengths)

    def rest_offsets(self, lengths: Tensor | None = None) -> Tensor:
        """[J, 3] rest-pose offset of each joint from its parent."""
        rest = torch.tensor(self.rest)
        rest = rest / rest.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        offsets: Tensor = rest * self.bone_lengths(lengths)[:, None]
        return offsets


def measure_lengths(joints: Tensor, skeleton: Skeleton) -> Tensor:
    """[J] bone lengths of one frame [J, 3]: how a reference clip becomes a target skeleton."""
    parents = torch.tensor([max(parent, 0) for parent in skeleton.parents])
    lengths: Tensor = (joints - joints[parents]).norm(dim=-1)
    return lengths


# Bone lengths: constant to 2.5e-7 m over a released HumanML3D motion, hence those of its target clip 000021.
SMPL_22 = Skeleton(
    name="smpl22",
    joints=(
        "pelvis",
        "left_hip",
        "right_hip",
        "spine1",
        "left_knee",
        "right_knee",
        "spine2",
        "left_ankle",
        "right_ankle",
        "spine3",
        "left_foot",
        "right_foot",
        "neck",
        "left_collar",
        "right_collar",
        "head",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
    ),
    chains=(
        (0, 2, 5, 8, 11),
        (0, 1, 4, 7, 10),
        (0, 3, 6, 9, 12, 15),
        (9, 14, 17, 19, 21),
        (9, 13, 16, 18, 20),
    ),
    directions=(
        (0.0, 0.0, 0.0),
        X,
        NX,
        Y,
        NY,
        NY,
        Y,
        NY,
        NY,
        Y,
        Z,
        Z,
        Y,
        X,
        NX,
        Z,
        NY,
        NY,
        NY,
        NY,
        NY,
        NY,
    ),
    lengths=(
        0.0,
        0.103073969,
        0.109883361,
        0.131568238,
        0.393623203,
        0.390188217,
        0.143190220,
        0.432433009,
        0.425643414,
        0.057364739,
        0.143381789,
        0.149419054,
        0.219360054,
        0.137486801,
        0.143382803,
        0.103039205,
        0.131613955,
        0.122984387,
        0.256839901,
        0.263091862,
        0.266011804,
        0.269876301,
    ),
    # Hips, spine1, neck and collars: the rigid pelvis and chest of a released motion; the rest, where one
    # child follows one bone, is free and follows the usual T-pose.
    rest=(
        (0.0, 0.0, 0.0),
        (0.526489, -0.849109, -0.042702),
        (-0.603323, -0.796490, -0.040056),
        (0.024934, 0.971247, -0.236764),
        (0.09, -0.99, -0.01),
        (-0.09, -0.99, -0.01),
        (0.0, 1.0, 0.0),
        (-0.03, -0.99, -0.11),
        (0.03, -0.99, -0.11),
        (0.0, 0.9, 0.43),
        (0.2, -0.41, 0.89),
        (-0.2, -0.41, 0.89),
        (-0.030379, 0.980162, -0.195856),
        (0.481053, 0.831324, -0.278367),
        (-0.541592, 0.797140, -0.266921),
        (0.0, 0.78, 0.62),
        (0.94, 0.31, -0.09),
        (-0.94, 0.31, -0.09),
        (1.0, -0.05, -0.1),
        (-1.0, -0.05, -0.1),
        (1.0, 0.03, 0.0),
        (-1.0, 0.03, 0.0),
    ),
    faces=(2, 1, 17, 16),
    scale_bones=(5, 8),
    feet=(7, 10, 8, 11),
    toes=(10, 11),
    mirrored=((1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21)),
    contact=0.002,
    clusters=((0, 1, 2, 3), (9, 13, 14, 12)),
    fps=20.0,
    metre=1.0,
)

# The raw directions of joints 5, 8, 11 and 16 point to the wrong side, as in the official code; `rest` does not.
KIT_21 = Skeleton(
    name="kit21",
    joints=(
        "pelvis",
        "spine1",
        "spine2",
        "chest",
        "head",
        "right_shoulder",
        "right_elbow",
        "right_wrist",
        "left_shoulder",
        "left_elbow",
        "left_wrist",
        "right_hip",
        "right_knee",
        "right_ankle",
        "right_heel",
        "right_toe",
        "left_hip",
        "left_knee",
        "left_ankle",
        "left_heel",
        "left_toe",
    ),
    chains=(
        (0, 11, 12, 13, 14, 15),
        (0, 16, 17, 18, 19, 20),
        (0, 1, 2, 3, 4),
        (3, 5, 6, 7),
        (3, 8, 9, 10),
    ),
    directions=(
        (0.0, 0.0, 0.0),
        Y,
        Y,
        Y,
        Y,
        X,
        NY,
        NY,
        NX,
        NY,
        NY,
        X,
        NY,
        NY,
        Z,
        Z,
        NX,
        NY,
        NY,
        Z,
        Z,
    ),
    lengths=None,
    rest=(
        (0.0, 0.0, 0.0),
        Y,
        Y,
        Y,
        Y,
        NX,
        NX,
        NX,
        X,
        X,
        X,
        NX,
        NY,
        NY,
        Z,
        Z,
        X,
        NY,
        NY,
        Z,
        Z,
    ),
    faces=(11, 16, 5, 8),
    scale_bones=(17, 18),
    feet=(19, 20, 14, 15),
    toes=(20, 15),
    mirrored=((5, 8), (6, 9), (7, 10), (11, 16), (12, 17), (13, 18), (14, 19), (15, 20)),
    contact=0.05,
    clusters=((0, 16, 11, 1), (3, 8, 5, 4)),
    fps=12.5,
    metre=1000.0,
)

SKELETONS = {skeleton.name: skeleton for skeleton in (SMPL_22, KIT_21)}

# Fingers of the 52-joint SMPL+H skeleton, left and right, in matching order.
LEFT_FINGERS = (22, 23, 24, 34, 35, 36, 25, 26, 27, 31, 32, 33, 28, 29, 30)
RIGHT_FINGERS = (43, 44, 45, 46, 47, 48, 40, 41, 42, 37, 38, 39, 49, 50, 51)


def mirror(joints: Tensor, skeleton: Skeleton = SMPL_22) -> Tensor:
    """The left-right mirror image (x to -x, sides swapped) of [..., J, 3].

    52 joints are SMPL+H: the body as SMPL-22, and the fingers as HumanML3D pairs them.
    """
    count = joints.shape[-2]
    order = list(skeleton.swap)
    if count == 52:
        order += list(range(len(order), 52))
        for left, right in zip(LEFT_FINGERS, RIGHT_FINGERS, strict=True):
            order[left], order[right] = right, left
    elif count != len(skeleton):
        raise InputError(
            f"{count} joints, expected {len(skeleton)} or 52",
            field="joints",
            fix="check the joint map",
        )
    return joints[..., order, :] * joints.new_tensor([-1.0, 1.0, 1.0])
