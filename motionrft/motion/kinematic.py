"""HumanML3D's kinematic features (263 numbers a frame; KIT-ML: 251), batched over ragged clips.

Row t of a clip of T frames (T - 1 rows), for J joints:
  0                 half of the yaw step (the asin of a half-angle sine)
  1:3               root displacement on the floor (x, z) in the body's heading
  3                 root height
  4 : 3J+1          joints 1..J-1 relative to the root's floor position, in the body's heading
  .. : +6(J-1)      local bone rotations, 6D in HumanML3D's order (swing only, without twist)
  .. : +3J          displacement of every joint, in the body's heading
  last 4            contact of left heel, left toe, right heel, right toe
Displacements are a frame's, not a second's.

`compat` names the variant; where the released data's code (the default) departs from the sound one is in
`motion.compat`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from motionrft.errors import InputError
from motionrft.motion.compat import HUMANML3D, VARIANTS, Corrected, variant
from motionrft.motion.recovery import joints_from_positions
from motionrft.motion.rotation import yaw
from motionrft.motion.skeleton import SMPL_22, Skeleton

SMOOTHING, RADIUS = 20.0, 80  # frames: the heading's Gaussian and where it is cut off
BLOCK = 256  # frames smoothed by one matrix product
PART = 2048  # frames whose bone rotations are computed at once


def process(
    joints: Tensor,
    lengths: Tensor,
    *,
    skeleton: Skeleton = SMPL_22,
    compat: str = HUMANML3D,
    bone_lengths: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Joints [B, T, J, 3], lengths [B] (>= 2) -> features [B, T-1, dim] with zero padding, lengths - 1.

    The whole of HumanML3D's `process_file`: retarget to the target skeleton, floor, origin, facing, features.
    Differentiable except for the four contact channels.
    """
    planes = _retarget(_planes(hold(joints, lengths)), skeleton, bone_lengths)
    return _extract(_canonicalise(planes, skeleton), lengths, skeleton, variant(compat))


def retarget(
    joints: Tensor, skeleton: Skeleton = SMPL_22, bone_lengths: Tensor | None = None
) -> Tensor:
    """The same bone directions on the target skeleton, the root scaled by leg length: [B, T, J, 3].

    Scale and source come from frame 0. The official code reaches this through inverse and forward kinematics.
    """
    return _frames(_retarget(_planes(joints), skeleton, bone_lengths))


def canonicalise(joints: Tensor, skeleton: Skeleton = SMPL_22) -> Tensor:
    """Lowest point of the clip at 0, the frame-0 root over the origin, frame 0 facing +Z: [B, T, J, 3].

    Padding must repeat valid frames (see `hold`).
    """
    return _frames(_canonicalise(_planes(joints), skeleton))


def headings(
    joints: Tensor, lengths: Tensor, skeleton: Skeleton = SMPL_22, compat: str = HUMANML3D
) -> Tensor:
    """Half-angle (cosine, sine) [B, T, 2] of the rotation that takes each frame's heading to +Z.

    Smoothed over time with the clip's ends repeated, as scipy's "nearest"; in float64, since ties are near.
    """
    return _headings(_planes(joints), lengths, skeleton, variant(compat)).movedim(0, -1)


def extract(
    joints: Tensor, lengths: Tensor, *, skeleton: Skeleton = SMPL_22, compat: str = HUMANML3D
) -> tuple[Tensor, Tensor]:
    """Features of joints that are already canonical: [B, T, J, 3] -> [B, T-1, dim], lengths - 1.

    ACMDM's evaluator uses the first 3J + 1 channels of this on joints as they come.
    """
    return _extract(_planes(hold(joints, lengths)), lengths, skeleton, variant(compat))


def hold(frames: Tensor, lengths: Tensor) -> Tensor:
    """[B, T, ...] with each clip's last valid frame repeated over its padding."""
    batch, count = frames.shape[:2]
    if lengths.shape != (batch,) or bool((lengths < 1).any()) or bool((lengths > count).any()):
        raise InputError(
            f"lengths {lengths.tolist()} for {batch} clips of {count} frames",
            field="lengths",
            fix="give one length a clip, from 1 to the padded length",
        )
    if bool((lengths == count).all()):
        return frames
    steps = torch.arange(count, device=frames.device)
    index = torch.minimum(steps[None], lengths.to(frames.device)[:, None] - 1)
    return frames[torch.arange(batch, device=frames.device)[:, None], index]


def blank(features: Tensor, lengths: Tensor) -> Tensor:
    """[B, T, dim] with zeros after each length."""
    if bool((lengths == features.shape[1]).all()):
        return features
    steps = torch.arange(features.shape[1], device=features.device)
    return torch.where(
        (steps[None] < lengths.to(features.device)[:, None])[..., None], features, 0.0
    )


# Inside, joints are planes [3, J, B, T]: picking a joint or a coordinate is then a contiguous block.


def _planes(joints: Tensor) -> Tensor:
    return joints.permute(3, 2, 0, 1).contiguous()


def _frames(planes: Tensor) -> Tensor:
    return planes.permute(2, 3, 1, 0)


def _pick(planes: Tensor, joints: Sequence[int], dim: int = 1) -> Tensor:
    return planes.index_select(dim, torch.tensor(joints, device=planes.device))


def _turn(planes: Tensor, half: Tensor) -> Tensor:
    """Rotates [3, J, B, T] about Y by half-angle (cosine, sine) [2, B, T]."""
    x, z = yaw(planes[0], planes[2], half[0], half[1])
    return torch.stack([x, planes[1], z])


def _retarget(planes: Tensor, skeleton: Skeleton, bone_lengths: Tensor | None) -> Tensor:
    target = skeleton.bone_lengths(bone_lengths).to(planes)
    bones = planes - _pick(planes, [0, *skeleton.parents[1:]])
    size = bones.square().sum(0)
    # the root has no bone: a length of one keeps its zero offset and the gradient finite
    root = torch.arange(len(skeleton), device=planes.device)[:, None, None] == 0
    size = torch.where(root, 1.0, size).sqrt()
    legs = list(skeleton.scale_bones)
    scale = target[legs].sum() / size[legs, :, 0].sum(0)
    bones = bones * (target[:, None, None] / size)
    summed = torch.matmul(skeleton.ancestors.to(planes), bones.flatten(2)).view_as(bones)
    return summed + planes[:, :1] * scale[:, None]


def _canonicalise(planes: Tensor, skeleton: Skeleton) -> Tensor:
    floor = planes[1].amin(dim=(0, 2))
    start = planes[:, 0, :, 0]
    shift = torch.stack([start[0], floor, start[2]])
    hips, shoulders = _across(planes[..., :1], skeleton)
    across = VARIANTS["corrected"].across(hips, shoulders)
    return _turn(planes - shift[:, None, :, None], _to_forward(_forward(across)))


def _across(planes: Tensor, skeleton: Skeleton) -> tuple[Tensor, Tensor]:
    """[3, B, T] float64 each: from the left to the right hip, and from the left to the right shoulder."""
    right_hip, left_hip, right_shoulder, left_shoulder = (
        _pick(planes, skeleton.faces).double().unbind(1)
    )
    return right_hip - left_hip, right_shoulder - left_shoulder


def _forward(across: Tensor) -> Tensor:
    """Y × across, [2, ...] as (x, z): horizontal whatever `across` is, shorter when it is tilted.

    Zero where the person has no width (padding), so that such frames carry no weight in the smoothing.
    """
    unit = across / (across.norm(dim=0) + 1e-8)
    return torch.stack([unit[2], -unit[0]])


def _to_forward(forward: Tensor) -> Tensor:
    """The half-angle (cosine, sine) [2, ...] of the yaw that takes (x, z) of any length to +Z; NaN for none."""
    half = torch.stack([forward.norm(dim=0) + forward[1], -forward[0]])
    unit: Tensor = half / half.norm(dim=0)
    return unit


def _headings(planes: Tensor, lengths: Tensor, skeleton: Skeleton, habits: Corrected) -> Tensor:
    """[2, B, T] float64."""
    forward = _forward(habits.across(*_across(planes, skeleton)))
    count = forward.shape[-1]
    # blocks of BLOCK frames, each with RADIUS frames around it: memory grows with T, not with its square
    block = min(count, BLOCK)
    blocks = -(-count // block)
    steps = torch.arange(-RADIUS, blocks * block + RADIUS, device=planes.device)
    index = torch.minimum(steps[None].clamp_min(0), lengths.to(planes.device)[:, None] - 1)
    padded = forward.gather(2, index.expand(2, -1, -1))
    windows = padded.unfold(2, block + 2 * RADIUS, block)
    smooth = (windows @ _smoothing(block).to(planes.device)).flatten(2)[..., :count]
    return habits.headings(_to_forward(smooth))


@lru_cache(maxsize=8)
def _smoothing(count: int) -> Tensor:
    """[count + 2 RADIUS, count] float64: a Gaussian of SMOOTHING frames, cut off at RADIUS, as one matrix product."""
    with torch.device("cpu"):  # the table outlives whoever asks first
        away = torch.arange(count + 2 * RADIUS)[:, None] - RADIUS - torch.arange(count)[None]
    weight = torch.exp(-0.5 * (away.double() / SMOOTHING) ** 2) * (away.abs() <= RADIUS)
    return weight / weight[:, :1].sum()


def _extract(
    planes: Tensor, lengths: Tensor, skeleton: Skeleton, habits: Corrected
) -> tuple[Tensor, Tensor]:
    if bool((lengths < 2).any()):
        raise InputError(
            "a clip of one frame has no velocity",
            field="lengths",
            fix="use clips of at least two frames",
        )
    half = _headings(planes, lengths, skeleton, habits)
    (w, y), (next_w, next_y) = half[..., :-1], half[..., 1:]
    step = habits.yaw_step(w * next_y - next_w * y, next_w * w + next_y * y)
    here, half, following = planes[..., :-1], half[..., :-1], half[..., 1:]
    moved = planes[..., 1:] - here
    root_step = _turn(moved[:, :1], following)[::2, 0]
    turned = _turn(here, half)
    local = torch.stack(
        [turned[0, 1:] - turned[0, :1], turned[1, 1:], turned[2, 1:] - turned[2, :1]], dim=1
    )
    seen, base = habits.seen(here, turned, half)
    # part by part: a rotation takes thirty numbers on the way to its six
    parts = zip(seen.split(PART, dim=-1), base.split(PART, dim=-1), strict=True)
    rotations = torch.cat([_bone_rotations(*part, skeleton, habits) for part in parts], dim=-1)
    velocity = _turn(moved, half).transpose(0, 1)
    contact = (_pick(moved, skeleton.feet).square().sum(0) < skeleton.contact).to(planes.dtype)
    features = torch.cat(
        [
            torch.asin(step)[None].to(planes.dtype),
            root_step,
            here[1, :1],
            local.flatten(0, 1),
            rotations.flatten(0, 1),
            velocity.flatten(0, 1),
            contact,
        ]
    )
    return blank(features.permute(1, 2, 0).contiguous(), lengths - 1), lengths - 1


def _bone_rotations(planes: Tensor, base: Tensor, skeleton: Skeleton, habits: Corrected) -> Tensor:
    """[J-1, 6, B, T]: each bone's rotation relative to the bone before it, HumanML3D's 6D order.

    A bone's own rotation is the minimal one from its raw direction; `base` [2, B, T] is the half-angle (cosine,
    sine) of the yaw that the first bones count from.
    """
    turn_from = habits.rotation_parents(skeleton)[1:]
    bx, by, bz = planes[:, 1:] - _pick(planes, skeleton.parents[1:])
    size = (bx * bx + by * by + bz * bz).sqrt()
    raw = planes.new_tensor(skeleton.directions)[1:].T[..., None, None]
    dx, dy, dz = raw
    gw = size + bx * dx + by * dy + bz * dz
    gx, gy, gz = dy * bz - dz * by, dz * bx - dx * bz, dx * by - dy * bx
    gw, gx, gy, gz = habits.swing((gw, gx, gy, gz), size, raw)
    still = torch.zeros_like(base[:1])
    pw, px, py, pz = (
        _pick(torch.cat([root, bones]), turn_from, 0)
        for root, bones in ((base[:1], gw), (still, gx), (base[1:], gy), (still, gz))
    )
    lw = pw * gw + px * gx + py * gy + pz * gz
    lx = pw * gx - px * gw - py * gz + pz * gy
    ly = pw * gy + px * gz - py * gw - pz * gx
    lz = pw * gz - px * gy + py * gx - pz * gw
    return torch.stack(
        [
            1 - 2 * (ly * ly + lz * lz),
            2 * (lx * ly + lw * lz),
            2 * (lx * lz - lw * ly),
            2 * (lx * ly - lw * lz),
            1 - 2 * (lx * lx + lz * lz),
            2 * (ly * lz + lw * lx),
        ],
        dim=1,
    )


class Kinematic:
    """HumanML3D's features as a representation; `decode` reads the positions, `compat` is the encoder's."""

    name = "kinematic"

    def __init__(
        self,
        skeleton: Skeleton = SMPL_22,
        compat: str = HUMANML3D,
        bone_lengths: Tensor | None = None,
    ):
        variant(compat)
        self.skeleton, self.compat, self.bone_lengths = skeleton, compat, bone_lengths
        self.dim = 12 * len(skeleton) - 1

    def encode(self, joints: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Joints [B, T, J, 3], lengths [B] -> features [B, T-1, dim], lengths - 1."""
        return process(
            joints,
            lengths,
            skeleton=self.skeleton,
            compat=self.compat,
            bone_lengths=self.bone_lengths,
        )

    def decode(self, features: Tensor) -> Tensor:
        """Features [B, T, dim] -> joints [B, T, J, 3]."""
        return joints_from_positions(features, len(self.skeleton))


REPRESENTATION = Kinematic()
