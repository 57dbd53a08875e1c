"""SMPL poses of an .npz (AMASS's, or what `export-motion --to amass` wrote) as joints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motionrft.contents import read_arrays
from motionrft.corpus.bvh.file import BvhMotion
from motionrft.corpus.kinds.amass import KEYS, RATES, check_numbers, gender_of, rate_of
from motionrft.errors import InputError
from motionrft.motion.skeleton import SMPL_22

# HumanML3D's preparation takes (x, y, z) of AMASS to (-x, z, y), a half turn: its own inverse
Z_UP = ((-1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0))
NEUTRAL = "neutral"
SLOWEST = 1.0  # frames a second
SHAPE = 10  # coefficients, as HumanML3D's preparation takes them
# numbers of a frame's poses -> name and joints of the body model, and who gives it. The body's 22 joints come first
# in each: neither hands nor face move them.
MODELS = {
    72: ("SMPL", 24, "https://smpl.is.tue.mpg.de"),
    156: ("SMPL+H", 52, "https://mano.is.tue.mpg.de"),
    165: ("SMPL-X", 55, "https://smpl-x.is.tue.mpg.de"),
}
BODY = "rest_joints"  # [22, 3], which our own files have
REPAIR = "use a file of AMASS, or one of export-motion --to amass"


def read_poses(
    path: Path, fps: float, body_models: str | Path | None = None
) -> tuple[Tensor, float, str]:
    """Joints [T, 22, 3] in metres, Y up, as HumanML3D's preparation turns them; their frame rate; a caption or "".

    A faster recording is resampled to `fps`, rotations and not points. The body is the file's own `rest_joints`, or
    else the one of its gender and shape in the folder `body_models`.
    """
    import roma  # loads the compiler, 1.5 s

    names = (*KEYS, *RATES, BODY, "caption")
    arrays = read_arrays(path, names, REPAIR)
    poses, places = _checked(arrays, path)
    rate = rate_of(arrays, path, SLOWEST, REPAIR)
    if BODY in arrays:
        body = arrays[BODY]
        if body.shape != (len(SMPL_22), 3) or body.dtype.kind != "f":
            said = f"{body.dtype} of shape {body.shape}, expected floating-point (22, 3)"
            raise InputError(said, where=path, field=BODY, fix=REPAIR)
        rest = torch.from_numpy(body).double()
    else:
        known = MODELS[poses.shape[1]]
        if body_models is None:
            raise InputError(
                f"{known[0]} poses without the body that they move",
                where=path,
                fix=f"name the folder of the {known[0]} models ({known[2]}) with --body-models (body_models=)",
            )
        gender = gender_of(arrays, path, REPAIR)
        betas = arrays["betas"].ravel()[:SHAPE]
        rest = rest_joints(Path(body_models), gender, betas, poses.shape[1]).double()
    parents = [*SMPL_22.parents]
    turned = torch.from_numpy(poses[:, : 3 * len(parents)]).double().unflatten(1, (-1, 3))
    offsets = rest - rest[[max(parent, 0) for parent in parents]]
    offsets[0] = rest[0]
    translation = offsets.expand(len(poses), -1, -1).numpy().copy()
    translation[:, 0] += places
    rotation = roma.rotvec_to_unitquat(turned).numpy()
    motion = BvhMotion([*SMPL_22.joints], parents, translation, rotation, rate)
    if rate > fps:
        motion = motion.resampled(fps)
    upright = motion.positions() @ np.array(Z_UP).T
    return torch.from_numpy(upright).float(), motion.fps, str(arrays.get("caption", ""))


def _checked(arrays: Mapping[str, np.ndarray], path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Poses [T, 72, 156 or 165], translations [T, 3]."""
    needed = KEYS[:2] if BODY in arrays else KEYS
    for key in needed:
        if key not in arrays:
            raise InputError(f"no array {key!r}", where=path, fix=REPAIR)
    poses, places = arrays["poses"], arrays["trans"]
    if poses.ndim != 2 or poses.shape[1] not in MODELS:
        widths = ", ".join(f"{width} ({name})" for width, (name, _, _) in MODELS.items())
        problem = f"poses of shape {poses.shape}, known are (frames, n) with n of {widths}"
        raise InputError(problem, where=path, fix=REPAIR)
    check_numbers(arrays, path, REPAIR)
    return poses, places


def rest_joints(folder: Path, gender: str = NEUTRAL, betas: Any = (), width: int = 156) -> Tensor:
    """[22, 3] metres: joints of the body of `gender` in its rest pose, with shape coefficients `betas`.

    folder  <gender>/model.npz, or SMPLX_<GENDER>.npz (likewise SMPLH, SMPL), as their owners give them
    width   of the poses that move it, which says which of the models is wanted
    """
    name, joints, owner = MODELS[width]
    own = name.replace("+", "").replace("-", "")
    places = [folder / gender / "model.npz", folder / f"{own}_{gender.upper()}.npz"]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise InputError(
            f"no {gender}/model.npz", where=folder, field="--body-models",
            fix=f"name the folder of the {name} models ({owner}), or leave the option out",
        )  # fmt: skip
    model = read_arrays(path, ("J_regressor", "v_template", "shapedirs"), "copy it again")
    regressor = model.get("J_regressor")
    if len(model) < 3 or regressor is None or len(regressor) != joints:
        raise InputError(
            f"no {name} model of {joints} joints", where=path, field="--body-models",
            fix=f"name the folder of the {name} models ({owner})",
        )  # fmt: skip
    shape = np.asarray(betas, dtype=np.float64)
    vertices = model["v_template"] + model["shapedirs"][..., : len(shape)] @ shape
    return torch.from_numpy((regressor @ vertices)[: len(SMPL_22)]).float()
