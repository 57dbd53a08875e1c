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

`compat` names the variant (`motion.variant` says what each does); the default is the released data's.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from motionrft.errors import InputError
from motionrft.motion.recovery import joints_from_positions
from motionrft.motion.rotation import turn
from motionrft.motion.skeleton import SMPL_22, Skeleton
from motionrft.motion.variant import HUMANML3D, Variant, variant

SMOOTHING, RADIUS = 20.0, 80  # frames: the heading's Gaussian and where it is cut off


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
    held = hold(joints, lengths)
    canonical = canonicalise(retarget(held, skeleton, bone_lengths), skeleton)
    return extract(canonical, lengths, skeleton=skeleton, compat=compat)


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
    steps = torch.arange(features.shape[1], device=features.device)
    return torch.where(
        (steps[None] < lengths.to(features.device)[:, None])[..., None], features, 0.0
    )


def retarget(
    joints: Tensor, skeleton: Skeleton = SMPL_22, bone_lengths: Tensor | None = None
) -> Tensor:
    """The same bone directions on the target skeleton, the root scaled by leg length: [B, T, J, 3].

    Scale and source come from frame 0. The official code reaches this through inverse and forward kinematics.
    """
    target = skeleton.bone_lengths(bone_lengths).to(joints)
    parents = list(skeleton.parents)
    parents[0] = 0
    bones = joints - joints[..., parents, :]
    size = bones.norm(dim=-1)
    legs = list(skeleton.scale_bones)
    scale = target[legs].sum() / size[:, 0, legs].sum(-1)
    factor = target / torch.where(torch.arange(len(skeleton), device=joints.device) == 0, 1.0, size)
    summed = torch.matmul(skeleton.ancestors.to(joints), bones * factor[..., None])
    return summed + joints[..., :1, :] * scale[:, None, None, None]


def canonicalise(joints: Tensor, skeleton: Skeleton = SMPL_22) -> Tensor:
    """Lowest point of the clip at 0, the frame-0 root over the origin, frame 0 facing +Z: [B, T, J, 3].

    Padding must repeat valid frames (see `hold`).
    """
    floor = joints[..., 1].amin(dim=(1, 2))
    root = joints[:, 0, 0]
    shift = torch.stack([root[:, 0], floor, root[:, 2]], dim=-1)
    across = _across(joints[:, :1], skeleton, opposed=False)
    heading = _to_forward(_forward(across))
    return turn(joints - shift[:, None, None], heading)


def _across(joints: Tensor, skeleton: Skeleton, opposed: bool) -> Tensor:
    """[B, T, 3]: from the left to the right, hips plus shoulders (or shoulders minus hips)."""
    right_hip, left_hip, right_shoulder, left_shoulder = skeleton.faces
    hips = joints[..., right_hip, :] - joints[..., left_hip, :]
    shoulders = joints[..., right_shoulder, :] - joints[..., left_shoulder, :]
    return shoulders - hips if opposed else shoulders + hips


def _forward(across: Tensor) -> Tensor:
    """Y × across, [..., 2] as (x, z): horizontal whatever `across` is, shorter when it is tilted.

    Zero where the person has no width (padding), so that such frames carry no weight in the smoothing.
    """
    unit = across / (across.norm(dim=-1, keepdim=True) + 1e-8)
    return torch.stack([unit[..., 2], -unit[..., 0]], dim=-1)


def _to_forward(forward: Tensor) -> Tensor:
    """The half-angle (cosine, sine) [..., 2] of the yaw that takes (x, z) of any length to +Z; NaN for none."""
    size = forward.norm(dim=-1)
    half = torch.stack([size + forward[..., 1], -forward[..., 0]], dim=-1)
    return half / half.norm(dim=-1, keepdim=True)


def headings(
    joints: Tensor, lengths: Tensor, skeleton: Skeleton = SMPL_22, compat: str = HUMANML3D
) -> Tensor:
    """Half-angle (cosine, sine) [B, T, 2] of the rotation that takes each frame's heading to +Z.

    Smoothed over time with the clip's ends repeated, as scipy's "nearest"; in float64, since ties are near.
    """
    chosen = variant(compat)
    forward = _forward(_across(joints.double(), skeleton, chosen.opposed_faces))
    count = joints.shape[1]
    steps = torch.arange(-RADIUS, count + RADIUS, device=joints.device)
    last = lengths.to(joints.device)[:, None] - 1
    index = torch.minimum(steps[None].clamp_min(0), last)
    wide = forward[torch.arange(len(forward), device=joints.device)[:, None], index]
    taps = torch.exp(
        -0.5
        * (torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float64, device=joints.device) / SMOOTHING)
        ** 2
    )
    smooth = (
        functional.conv1d(
            wide.transpose(1, 2).flatten(0, 1)[:, None], (taps / taps.sum())[None, None]
        )
        .unflatten(0, (-1, 2))[:, :, 0]
        .transpose(1, 2)
    )
    half = _to_forward(smooth)
    if not chosen.first_identity:
        return half
    first = torch.zeros_like(half[:, :1]) + half.new_tensor([1.0, 0.0])
    return torch.cat([first, half[:, 1:]], dim=1)


def extract(
    joints: Tensor, lengths: Tensor, *, skeleton: Skeleton = SMPL_22, compat: str = HUMANML3D
) -> tuple[Tensor, Tensor]:
    """Features of joints that are already canonical: [B, T, J, 3] -> [B, T-1, dim], lengths - 1.

    ACMDM's evaluator uses the first 3J + 1 channels of this on joints as they come.
    """
    if bool((lengths < 2).any()):
        raise InputError(
            "a clip of one frame has no velocity",
            field="lengths",
            fix="use clips of at least two frames",
        )
    chosen = variant(compat)
    joints = hold(joints, lengths)
    half = headings(joints, lengths, skeleton, compat)
    w, y = half.unbind(-1)
    step = w[:, :-1] * y[:, 1:] - w[:, 1:] * y[:, :-1]
    if not chosen.sign_flip:
        step = torch.where(w[:, 1:] * w[:, :-1] + y[:, 1:] * y[:, :-1] < 0, -step, step)
    yaw = torch.asin(step)[..., None].to(joints.dtype)

    moved = joints[:, 1:] - joints[:, :-1]
    root_step = turn(moved[:, :, :1], half[:, 1:])[:, :, 0, ::2]
    height = joints[:, :-1, 0, 1:2]
    floor = joints[:, :-1, :1] * joints.new_tensor([1.0, 0.0, 1.0])
    local = turn(joints[:, :-1, 1:] - floor, half[:, :-1]).flatten(-2)
    if chosen.inverse_heading:
        bodies, base = joints[:, :-1], half[:, :-1].to(joints.dtype)
    else:
        bodies = turn(joints[:, :-1], half[:, :-1])
        base = torch.zeros_like(half[:, :-1], dtype=joints.dtype) + joints.new_tensor([1.0, 0.0])
    rotations = _bone_rotations(bodies, base, skeleton, chosen).flatten(-2)
    velocity = turn(moved, half[:, :-1]).flatten(-2)
    contact = (moved[:, :, list(skeleton.feet)].square().sum(-1) < skeleton.contact).to(
        joints.dtype
    )
    features = torch.cat([yaw, root_step, height, local, rotations, velocity, contact], dim=-1)
    return blank(features, lengths - 1), lengths - 1


def _bone_rotations(joints: Tensor, base: Tensor, skeleton: Skeleton, chosen: Variant) -> Tensor:
    """[B, T, J-1, 6]: each bone's rotation relative to the bone before it, HumanML3D's 6D order.

    A bone's own rotation is the minimal one from its raw direction; `base` is the half-angle (cosine, sine) of
    the yaw that the first bones count from. Components are kept as separate
    [B, T, J] arrays: the arithmetic is then contiguous.
    """
    hang = list(skeleton.parents[1:])
    turn_from = list(skeleton.chain_parents[1:] if chosen.arms_from_root else skeleton.parents[1:])
    x, y, z = (component.contiguous() for component in joints.unbind(-1))
    bx, by, bz = (component[..., 1:] - component[..., hang] for component in (x, y, z))
    size = (bx * bx + by * by + bz * bz).sqrt()
    dx, dy, dz = joints.new_tensor(skeleton.directions)[1:].unbind(-1)
    gw = size + bx * dx + by * dy + bz * dz
    gx, gy, gz = dy * bz - dz * by, dz * bx - dx * bz, dx * by - dy * bx
    norm = (gw * gw + gx * gx + gy * gy + gz * gz).sqrt()
    if not chosen.undefined_bones:
        # an opposite bone takes the half turn about one fixed perpendicular axis
        lost = norm <= 1e-6 * size.clamp_min(1e-6)
        norm = torch.where(lost, 1.0, norm)
        gw, gy = torch.where(lost, 0.0, gw), torch.where(lost, 0.0, gy)
        gx, gz = torch.where(lost, dy.abs() + dz.abs(), gx), torch.where(lost, dx.abs(), gz)
    gw, gx, gy, gz = gw / norm, gx / norm, gy / norm, gz / norm
    root_w, root_y = base[..., :1], base[..., 1:]
    zero = torch.zeros_like(root_w)
    pw, px, py, pz = (
        torch.cat([root, own], dim=-1)[..., turn_from]
        for root, own in ((root_w, gw), (zero, gx), (root_y, gy), (zero, gz))
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
        dim=-1,
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
