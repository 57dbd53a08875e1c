"""A puppet with 22 SMPL joints: planted feet by two-bone leg IK, arms and spine by joint angles.

Axes: Y up, the body faces +Z at heading 0, its left is +X. Lengths in metres, angles in radians,
times in frames. Every array has time first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import gaussian_filter1d, minimum_filter1d

Array = np.ndarray

THIGH, SHIN, UPPER_ARM, FOREARM = 0.39, 0.43, 0.26, 0.26
ANKLE_HEIGHT = 0.07
REACH = 0.985  # a leg is never stretched further than this share of its length
# offsets from the parent joint in a frame that stands upright (left side; the right side mirrors x)
HIP = np.array([0.075, -0.08, -0.01])
SPINE = np.array([[0.0, 0.11, -0.01], [0.0, 0.13, 0.01], [0.0, 0.055, 0.01]])
NECK, HEAD = np.array([0.0, 0.21, -0.02]), np.array([0.0, 0.10, 0.04])
COLLAR, SHOULDER = np.array([0.075, 0.12, -0.01]), np.array([0.115, 0.03, -0.01])
TOE = np.array([0.0, -0.055, 0.13])
LATERAL = 0.09  # half the distance between planted feet
SIDES = {"left": 1.0, "right": -1.0}


def rotation(axis: str, angle: Array) -> Array:
    """[T, 3, 3] rotations about x (nod), y (turn left) or z (lean to the right hand)."""
    angle = np.asarray(angle, dtype=float)
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    turned = np.zeros((*angle.shape, 3, 3))
    turned[..., 3 - first - second, 3 - first - second] = 1.0
    turned[..., first, first] = turned[..., second, second] = np.cos(angle)
    turned[..., second, first] = np.sin(angle)
    turned[..., first, second] = -turned[..., second, first]
    return turned


def smoothstep(u: Array) -> Array:
    u = np.clip(u, 0.0, 1.0)
    eased: Array = u * u * (3 - 2 * u)
    return eased


@dataclass
class Arm:
    """Angles [T] of one arm: `flexion` raises it forward, `abduction` sideways, `elbow` bends the forearm
    forward, `swing` tilts the forearm outward (a wave)."""

    flexion: Array
    abduction: Array
    elbow: Array
    swing: Array


@dataclass
class Pose:
    """A motion before it has joints. path [T, 2] = pelvis x, z; heading [T]; height [T] wanted pelvis height;
    feet {side: [T, 3]} ankle targets; toe_pitch {side: [T]}; pitch, roll, twist [T] of the torso."""

    path: Array
    heading: Array
    height: Array
    feet: dict[str, Array]
    arms: dict[str, Arm]
    pitch: Array
    roll: Array
    twist: Array
    toe_pitch: dict[str, Array] = field(default_factory=dict)


def stand(frames: int, size: float) -> Pose:
    """Upright, feet planted, arms hanging."""
    zero = np.zeros(frames)
    feet = {}
    for side, sign in SIDES.items():
        feet[side] = np.tile([sign * LATERAL * size, ANKLE_HEIGHT * size, 0.0], (frames, 1))
    return Pose(
        path=np.zeros((frames, 2)),
        heading=zero.copy(),
        height=np.full(frames, standing_height(size)),
        feet=feet,
        arms={side: Arm(zero + 0.05, zero + 0.18, zero + 0.25, zero.copy()) for side in SIDES},
        pitch=zero.copy(),
        roll=zero.copy(),
        twist=zero.copy(),
        toe_pitch={side: zero.copy() for side in SIDES},
    )


def standing_height(size: float) -> float:
    return float(size * (0.97 * (THIGH + SHIN) + ANKLE_HEIGHT - HIP[1]))


def walk_feet(
    pose: Pose, size: float, cycle: float, duty: float, lift: float, phase: float
) -> None:
    """Plants the feet along the path: each stance foot stays where it landed, under the hip at mid-stance."""
    frames = len(pose.heading)
    time = np.arange(frames, dtype=float)
    # the path continues beyond the clip with its end velocities, so that first and last steps are whole
    margin = int(2 * cycle) + 2
    grid = np.arange(-margin, frames + margin, dtype=float)

    def extended(values: Array) -> Array:
        first, last = values[1] - values[0], values[-1] - values[-2]
        before = values[0] + first * np.arange(-margin, 0)
        after = values[-1] + last * np.arange(1, margin + 1)
        return np.concatenate([before, values, after])

    x, z, heading = extended(pose.path[:, 0]), extended(pose.path[:, 1]), extended(pose.heading)

    def footprint(moment: Array, sign: float) -> Array:
        turn = np.interp(moment, grid, heading)
        side = sign * LATERAL * size
        return np.stack(
            [
                np.interp(moment, grid, x) + side * np.cos(turn),
                np.interp(moment, grid, z) - side * np.sin(turn),
            ],
            -1,
        )

    for side, sign in SIDES.items():
        clock = time / cycle + phase + (0.0 if sign > 0 else 0.5)
        within = clock - np.floor(clock)
        landing = time - within * cycle
        here = footprint(landing + duty * cycle / 2, sign)
        following = footprint(landing + cycle + duty * cycle / 2, sign)
        swing = np.clip((within - duty) / (1 - duty), 0.0, 1.0)
        blend = smoothstep(swing)[:, None]
        pose.feet[side][:, [0, 2]] = here * (1 - blend) + following * blend
        pose.feet[side][:, 1] = ANKLE_HEIGHT * size + lift * np.sin(np.pi * swing) ** 2
        pose.toe_pitch[side] = 0.5 * np.sin(np.pi * swing) ** 2


def bound_height(pose: Pose, size: float) -> Array:
    """The wanted pelvis height, lowered smoothly wherever a leg could not reach its planted foot."""
    reach = REACH * (THIGH + SHIN) * size
    limit = np.full(len(pose.heading), np.inf)
    for side, sign in SIDES.items():
        hip = pose.path + sign * HIP[0] * size * np.stack(
            [np.cos(pose.heading), -np.sin(pose.heading)], -1
        )
        apart = np.linalg.norm(pose.feet[side][:, [0, 2]] - hip, axis=-1)
        vertical = np.sqrt(np.maximum(reach**2 - apart**2, (0.3 * reach) ** 2))
        limit = np.minimum(limit, pose.feet[side][:, 1] + vertical - HIP[1] * size)
    wanted = np.minimum(pose.height, limit)
    lowered = gaussian_filter1d(minimum_filter1d(wanted, 5, mode="nearest"), 1.2, mode="nearest")
    height: Array = np.minimum(lowered, limit)
    return height


def joints(pose: Pose, size: float) -> Array:
    """[T, 22, 3] joint positions in SMPL order, bones rigid."""
    frames = len(pose.heading)
    out = np.zeros((frames, 22, 3))
    yaw = rotation("y", pose.heading)
    out[:, 0] = np.stack([pose.path[:, 0], bound_height(pose, size), pose.path[:, 1]], -1)
    third = [angle / 3 for angle in (pose.twist, pose.pitch, pose.roll)]
    bend = rotation("y", third[0]) @ rotation("x", third[1]) @ rotation("z", third[2])
    frame = yaw
    for joint, offset, parent in ((3, SPINE[0], 0), (6, SPINE[1], 3), (9, SPINE[2], 6)):
        frame = frame @ bend
        out[:, joint] = out[:, parent] + frame @ (offset * size)
    out[:, 12] = out[:, 9] + frame @ (NECK * size)
    out[:, 15] = out[:, 12] + frame @ (HEAD * size)
    for side, sign in SIDES.items():
        mirror = np.array([sign, 1.0, 1.0])
        hip, knee, ankle, foot = (1, 4, 7, 10) if sign > 0 else (2, 5, 8, 11)
        out[:, hip] = out[:, 0] + yaw @ (HIP * mirror * size)
        out[:, knee], out[:, ankle] = _leg(out[:, hip], pose.feet[side], yaw[:, :, 2], size)
        out[:, foot] = out[:, ankle] + (yaw @ rotation("x", pose.toe_pitch[side])) @ (TOE * size)
        collar, shoulder, elbow, wrist = (13, 16, 18, 20) if sign > 0 else (14, 17, 19, 21)
        out[:, collar] = out[:, 9] + frame @ (COLLAR * mirror * size)
        out[:, shoulder] = out[:, collar] + frame @ (SHOULDER * mirror * size)
        arm = pose.arms[side]
        upper = frame @ rotation("x", -arm.flexion) @ rotation("z", sign * arm.abduction)
        lower = upper @ rotation("z", sign * arm.swing) @ rotation("x", -arm.elbow)
        out[:, elbow] = out[:, shoulder] - upper[:, :, 1] * UPPER_ARM * size
        out[:, wrist] = out[:, elbow] - lower[:, :, 1] * FOREARM * size
    return out


def _leg(hip: Array, target: Array, forward: Array, size: float) -> tuple[Array, Array]:
    """Knee and ankle [T, 3] of the two-bone chain hip -> target, the knee in front."""
    thigh, shin = THIGH * size, SHIN * size
    line = target - hip
    distance = np.linalg.norm(line, axis=-1, keepdims=True)
    along = line / distance
    reach = np.clip(distance, abs(thigh - shin) + 1e-3, 0.999 * (thigh + shin))
    projection = (thigh**2 - shin**2 + reach**2) / (2 * reach)
    across = forward - (forward * along).sum(-1, keepdims=True) * along
    across /= np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-6)
    knee = hip + along * projection + across * np.sqrt(np.maximum(thigh**2 - projection**2, 1e-8))
    return knee, hip + along * reach
