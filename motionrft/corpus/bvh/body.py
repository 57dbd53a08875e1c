"""From a BVH file's joints to a body of SMPL's 22 in metres: mapped, scaled, upright, on the floor, facing +Z."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from motionrft.corpus.bvh.file import END, BvhMotion
from motionrft.errors import InputError
from motionrft.motion.skeleton import SMPL_22
from motionrft.motion.validity import leg_length

JOINTS = list(SMPL_22.joints)
HEAD, ANKLES = SMPL_22.index("head"), [SMPL_22.index("left_ankle"), SMPL_22.index("right_ankle")]
# metres in the units that files come in, among which a leg of LEG metres tells
UNITS = {
    "metres": 1.0,
    "centimetres": 0.01,
    "millimetres": 0.001,
    "inches": 0.0254,
    "CMU's units": 0.0254 / 0.45,
}
LEG = (0.55, 1.2)  # metres, from hip to ankle
# the rotation that turns an axis of the file upwards
UPWARDS = {
    "y": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "-y": ((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "z": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "-z": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "x": ((0, -1, 0), (1, 0, 0), (0, 0, 1)),
    "-x": ((0, 1, 0), (-1, 0, 0), (0, 0, 1)),
}
PLAIN = 0.8  # cosine: closer than this to an axis, bodies stand along it


def mapped(
    motion: BvhMotion, joint_map: Mapping[str, Sequence[str]], where: str | Path
) -> np.ndarray:
    """[T, 22, 3] in the file's unit and axes; each joint is the mean of the BVH joints it is mapped to."""
    index = {name: row for row, name in enumerate(motion.names)}
    for joint, sources in joint_map.items():
        for source in sources:
            if source not in index:
                joints = ", ".join(name for name in motion.names if END not in name)
                raise InputError(
                    f"no joint {source!r}; the file has {joints}",
                    where=where,
                    field=f"corpus.joint_map: {joint}",
                    fix="use corpus.joint_map: auto, a map of config/skeletons, or the path of one of your own",
                )
    placed = motion.positions()
    return np.stack(
        [placed[:, [index[name] for name in joint_map[joint]]].mean(1) for joint in JOINTS], 1
    )


def legs(joints: np.ndarray) -> float:
    return leg_length(torch.from_numpy(joints))


def unit_of(leg: float) -> float | None:
    """Metres in the unit of a body whose leg is `leg` units long; None where none of `UNITS` is plausible."""
    for metres in UNITS.values():
        if LEG[0] <= leg * metres <= LEG[1]:
            return metres
    return None


def upward(joints: np.ndarray) -> np.ndarray:
    """[3], the mean direction from the ankles to the head, shorter than 1 where it changes."""
    body = joints[:, HEAD] - joints[:, ANKLES].mean(1)
    size = np.linalg.norm(body, axis=-1, keepdims=True)
    mean: np.ndarray = (body / np.maximum(size, 1e-12)).mean(0)
    return mean


def up_axis(directions: Sequence[np.ndarray]) -> str | None:
    """The axis along which bodies stand; None where they do not plainly stand along one."""
    mean = np.mean(directions, axis=0)
    axis = int(np.abs(mean).argmax())
    if abs(mean[axis]) < PLAIN * np.linalg.norm(mean) or np.linalg.norm(mean) < 0.3:
        return None
    return ("-" if mean[axis] < 0 else "") + "xyz"[axis]


def upright(joints: np.ndarray, scale: float, up: str) -> np.ndarray:
    """[T, 22, 3] metres with Y up, where the file has them."""
    metres: np.ndarray = (joints * scale) @ np.array(UPWARDS[up], dtype=float).T
    return metres


def placed(joints: np.ndarray) -> np.ndarray:
    """[T, 22, 3] with the floor at zero, the pelvis over the origin and facing +Z in the first frame."""
    joints = joints.copy()
    joints[..., 1] -= joints[..., 1].min()
    joints[..., [0, 2]] -= joints[0, 0, [0, 2]]
    across = joints[0, 1] - joints[0, 2] + joints[0, 16] - joints[0, 17]  # towards the body's left
    angle = np.arctan2(across[2], across[0])
    c, s = np.cos(angle), np.sin(angle)
    turned: np.ndarray = joints @ np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])
    return turned


def head_above(joints: np.ndarray) -> float:
    """Share of frames [T, 22, 3] in which the head is above the pelvis."""
    return float((joints[:, HEAD, 1] > joints[:, 0, 1]).mean())
