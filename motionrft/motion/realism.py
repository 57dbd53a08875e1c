"""How physical a motion is, one number a clip, batched over ragged clips.

`skating_ratio` is the field's own measure (MotionLCM, ACMDM; GMD before them). The others have no official code;
their definitions stand in their docstrings. All are measured on joints, not soles, so that real motion is not
zero either: read every number beside the row of real motions. Non-finite motions give non-finite numbers.

joints [B, T, J, 3] with the floor at y = 0 in the skeleton's unit, lengths [B] in frames, fps in frames a second.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from motionrft.motion import recovery
from motionrft.motion.compat import HUMANML3D
from motionrft.motion.skeleton import SMPL_22, Skeleton

NEAR_FLOOR, SLIDING = 0.05, 0.5  # metres, metres a second: the official skating thresholds
TOLERANCE = 0.005  # metres: closer to the floor than this is on it
FREE_FALL = (
    -4.9
)  # metres a second squared: a root that accelerates down by half of gravity is in a jump


def _masked_mean(values: Tensor, valid: Tensor) -> Tensor:
    """Mean of [B, T] over valid entries; 0 where a clip has none."""
    total = torch.where(valid, values, 0.0).sum(-1)
    return total / valid.sum(-1).clamp_min(1)


def _within(lengths: Tensor, count: int, short: int = 0) -> Tensor:
    """[B, count]: frames before each length, the last `short` left out."""
    return torch.arange(count, device=lengths.device)[None] < (lengths - short)[:, None]


def toe_speeds(
    joints: Tensor, lengths: Tensor, fps: float = 20.0, skeleton: Skeleton = SMPL_22
) -> tuple[Tensor, Tensor, Tensor]:
    """Of left and right toe, [B, T-1, 2] each: horizontal speed in m/s, its mean over five frames, on the floor.

    The running mean counts zeros beyond the clip's ends, as the official filter does. On the floor: under 5 cm
    in both frames of the step. (The official function returns the running mean where on the floor, else zero.)
    """
    feet = joints[..., list(skeleton.toes), :] / skeleton.metre
    within = _within(lengths, feet.shape[1] - 1, 1)[..., None]
    speed = (feet[:, 1:] - feet[:, :-1])[..., ::2].norm(dim=-1) * fps
    speed = torch.where(within, speed, 0.0)
    smooth = functional.avg_pool1d(speed.transpose(1, 2), 5, stride=1, padding=2).transpose(1, 2)
    low = feet[..., 1] < NEAR_FLOOR
    return speed, smooth, low[:, :-1] & low[:, 1:] & within


def skating_ratio(
    joints: Tensor, lengths: Tensor, fps: float = 20.0, skeleton: Skeleton = SMPL_22
) -> Tensor:
    """[B]: share of steps in which a toe on the floor slides, the official definition.

    Sliding: faster than 0.5 m/s, in this step and over five frames. The official code takes 20 fps and metres
    on KIT-ML as well, whose data have 12.5 fps and millimetres.
    """
    speed, smooth, floor = toe_speeds(joints, lengths, fps, skeleton)
    skates = (floor & (speed > SLIDING) & (smooth > SLIDING)).any(-1)
    ratio = skates.sum(-1) / (lengths - 1).clamp_min(1)
    return _keep_broken(ratio, joints, lengths)


def _keep_broken(score: Tensor, joints: Tensor, lengths: Tensor) -> Tensor:
    """NaN for clips with a non-finite coordinate, which comparisons would have hidden."""
    finite = joints.isfinite().flatten(2).all(-1) | ~_within(lengths, joints.shape[1])
    return torch.where(finite.all(-1), score, torch.nan)


def penetration(joints: Tensor, lengths: Tensor, skeleton: Skeleton = SMPL_22) -> Tensor:
    """[B], mm: depth of the lowest joint under the floor, mean over frames."""
    depth = (-joints[..., 1].amin(-1) / skeleton.metre).clamp_min(0)
    return 1000 * _masked_mean(depth, _within(lengths, depth.shape[1]))


def floating(
    joints: Tensor, lengths: Tensor, fps: float = 20.0, skeleton: Skeleton = SMPL_22
) -> Tensor:
    """[B], mm: height of the lowest joint over the floor beyond 5 mm, mean over frames that are not in a jump.

    In a jump: the root's vertical acceleration (second difference) is under -4.9 m/s².
    """
    above = (joints[..., 1].amin(-1) / skeleton.metre - TOLERANCE).clamp_min(0)
    root = joints[..., 0, 1] / skeleton.metre
    fall = (root[:, 2:] - 2 * root[:, 1:-1] + root[:, :-2]) * fps**2
    jump = functional.pad(fall < FREE_FALL, (1, 1))[:, : root.shape[1]]
    return 1000 * _masked_mean(above, _within(lengths, above.shape[1]) & ~jump)


def skating_distance(joints: Tensor, lengths: Tensor, skeleton: Skeleton = SMPL_22) -> Tensor:
    """[B], mm a frame: horizontal displacement of toes that are on the floor (within 5 mm) in two frames running."""
    feet = joints[..., list(skeleton.toes), :] / skeleton.metre
    moved = (feet[:, 1:] - feet[:, :-1])[..., ::2].norm(dim=-1)
    floor = feet[..., 1] < TOLERANCE
    valid = floor[:, 1:] & floor[:, :-1] & _within(lengths, moved.shape[1], 1)[..., None]
    return 1000 * _keep_broken(_masked_mean(moved.flatten(1), valid.flatten(1)), joints, lengths)


def jerk(
    joints: Tensor, lengths: Tensor, fps: float = 20.0, skeleton: Skeleton = SMPL_22
) -> tuple[Tensor, Tensor]:
    """[B] mean and [B] peak over frames of the joints' mean |third difference|, in m/s³ (jitter and peak jerk)."""
    third = joints.diff(n=3, dim=1).norm(dim=-1).mean(-1) * (fps**3 / skeleton.metre)
    valid = _within(lengths, third.shape[1], 3)
    if not third.shape[1]:
        return torch.zeros_like(joints[:, 0, 0, 0]), torch.zeros_like(joints[:, 0, 0, 0])
    return _masked_mean(third, valid), torch.where(valid, third, 0.0).amax(-1)


def bone_drift(joints: Tensor, lengths: Tensor, skeleton: Skeleton = SMPL_22) -> Tensor:
    """[B], mm: standard deviation over time of each bone's length, mean over bones. Zero for a rigid body."""
    parents = list(skeleton.parents[1:])
    size = (joints[..., 1:, :] - joints[..., parents, :]).norm(dim=-1) / skeleton.metre
    valid = _within(lengths, size.shape[1])[..., None]
    count = lengths.clamp_min(1)[:, None]
    mean = torch.where(valid, size, 0.0).sum(1) / count
    spread = torch.where(valid, (size - mean[:, None]).square(), 0.0).sum(1) / count
    return 1000 * spread.sqrt().mean(-1)


def bone_change(joints: Tensor, lengths: Tensor, skeleton: Skeleton = SMPL_22) -> Tensor:
    """[B], %: of the frame where bones differ most from their own medians over the clip, the mean difference over bones.

    Zero for a rigid body; it finds a single broken frame, which `bone_drift` averages away.
    """
    parents = list(skeleton.parents[1:])
    size = (joints[..., 1:, :] - joints[..., parents, :]).norm(dim=-1)
    valid = _within(lengths, size.shape[1])[..., None]
    usual = torch.where(valid, size, torch.nan).nanmedian(dim=1, keepdim=True).values
    change = (size / usual.clamp_min(1e-6 * skeleton.metre) - 1).abs().mean(-1)
    worst = torch.where(valid[..., 0], change, 0.0).amax(-1)
    return _keep_broken(100 * worst, joints, lengths)


def root_speed(
    joints: Tensor, lengths: Tensor, fps: float = 20.0, skeleton: Skeleton = SMPL_22
) -> Tensor:
    """[B], m/s: mean horizontal speed of the root over the clip."""
    root = joints[..., 0, :]
    speed = (root[:, 1:] - root[:, :-1])[..., ::2].norm(dim=-1) * (fps / skeleton.metre)
    return _keep_broken(_masked_mean(speed, _within(lengths, speed.shape[1], 1)), joints, lengths)


def contact_speed(
    joints: Tensor,
    contacts: Tensor,
    lengths: Tensor,
    fps: float = 20.0,
    skeleton: Skeleton = SMPL_22,
) -> Tensor:
    """[B], m/s: mean speed of heels and toes where the features claim contact (> 0.5); 0 where they never do.

    contacts [B, T, 4]: the last four kinematic channels of the same frames.
    """
    feet = joints[..., list(skeleton.feet), :]
    speed = (feet[:, 1:] - feet[:, :-1]).norm(dim=-1) * (fps / skeleton.metre)
    claimed = (contacts[:, :-1] > 0.5) & _within(lengths, speed.shape[1], 1)[..., None]
    return _keep_broken(_masked_mean(speed.flatten(1), claimed.flatten(1)), joints, lengths)


def self_consistency(
    features: Tensor,
    lengths: Tensor,
    skeleton: Skeleton = SMPL_22,
    compat: str = HUMANML3D,
    bone_lengths: Tensor | None = None,
) -> Tensor:
    """[B], mm: mean distance between the joints that the position and the rotation channels describe.

    About 0.001 mm for extracted features (except after the sign flip of `motion.compat.HumanML3D`), large where a
    generator's two accounts of the body disagree. Kinematic features [B, T, dim], raw.
    """
    by_position = recovery.joints_from_positions(features, len(skeleton))
    by_rotation = recovery.joints_from_rotations(features, skeleton, compat, bone_lengths)
    apart = (by_position - by_rotation).norm(dim=-1).mean(-1) / skeleton.metre
    return 1000 * _masked_mean(apart, _within(lengths, apart.shape[1]))


def realism(
    joints: Tensor, lengths: Tensor, fps: float = 20.0, skeleton: Skeleton = SMPL_22
) -> dict[str, Tensor]:
    """Every measure that joints alone allow, by name, [B] each."""
    mean_jerk, peak_jerk = jerk(joints, lengths, fps, skeleton)
    return {
        "skating_ratio": skating_ratio(joints, lengths, fps, skeleton),
        "skating_mm": skating_distance(joints, lengths, skeleton),
        "penetration_mm": penetration(joints, lengths, skeleton),
        "floating_mm": floating(joints, lengths, fps, skeleton),
        "jerk": mean_jerk,
        "peak_jerk": peak_jerk,
        "bone_drift_mm": bone_drift(joints, lengths, skeleton),
        "bone_change": bone_change(joints, lengths, skeleton),
        "root_speed": root_speed(joints, lengths, fps, skeleton),
    }
