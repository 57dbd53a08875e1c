"""Motions as AMASS has them: SMPL+H poses, Z up, one .npz a motion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motionrft.errors import InputError
from motionrft.files import atomic
from motionrft.inference.export import joint_error, rotations_of
from motionrft.inference.motion import Motion
from motionrft.inference.poses import BODY, NEUTRAL, Z_UP
from motionrft.motion.rotation135 import fit, forward_kinematics
from motionrft.motion.skeleton import SMPL_22

POSE = 156  # axis-angle of SMPL+H's 52 joints: the body's 22, then both hands, which stay open
SHAPES = 16


def export_amass(
    path: str | Path, motion: Motion, rest: Tensor | None = None, gender: str = NEUTRAL
) -> str:
    """Writes poses, trans, betas (zeros), gender, mocap_framerate, caption, and rest_joints: the body that poses turn.

    rest [22, 3]: rest pose of the body model that will read the file (`rest_joints`): the motion is fitted to it.
    Without one the poses turn the motion's own rest pose, whose pelvis lies at the origin.
    """
    if motion.skeleton is not SMPL_22:
        raise InputError(
            f"a motion of the skeleton {motion.skeleton.name}",
            where=path,
            fix="pass one of SMPL's 22 joints",
        )
    import roma  # loads the compiler, 1.5 s

    parents = SMPL_22.parents
    if rest is None:
        offsets, translation, local = rotations_of(motion)
        rest = offsets @ torch.eye(3)
        for joint, parent in enumerate(parents[1:], start=1):
            rest[joint] = rest[parent] + offsets[joint]
    else:
        offsets = rest - rest[[max(parent, 0) for parent in parents]]
        translation, local = fit(motion.joints.float(), SMPL_22, offsets)
    rebuilt = forward_kinematics(translation, local, offsets, parents)
    upright = torch.tensor(Z_UP)
    turned = torch.cat([(upright @ local[:, 0])[:, None], local[:, 1:]], dim=1)
    poses = np.zeros((len(motion), POSE))
    poses[:, : 3 * len(parents)] = roma.rotmat_to_rotvec(turned.double()).flatten(1).numpy()
    arrays: dict[str, Any] = {
        "poses": poses,
        "trans": (translation @ upright.T - rest[0]).double().numpy(),
        "betas": np.zeros(SHAPES),
        "gender": np.array(gender),
        "mocap_framerate": np.float64(motion.fps),
        BODY: rest.numpy(),
        "caption": np.array(motion.caption),
    }
    with atomic(path) as temporary, open(temporary, "wb") as out:
        np.savez_compressed(out, **arrays)
    return joint_error(rebuilt, motion)
