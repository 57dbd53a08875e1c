"""A motion as a person has it: joints with a frame rate, whatever file they come from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motionrft.contents import read_array, read_arrays
from motionrft.corpus.bvh.body import placed
from motionrft.corpus.bvh.file import read_bvh
from motionrft.corpus.bvh.reader import open_reader
from motionrft.corpus.report import Report
from motionrft.errors import InputError
from motionrft.files import atomic
from motionrft.inference.poses import read_poses
from motionrft.motion.representation import MODULES, representation
from motionrft.motion.skeleton import SKELETONS, SMPL_22, Skeleton

KINDS = ".npz of `generate` or of SMPL poses, .npy of joints or features, or .bvh"


@dataclass(frozen=True)
class Motion:
    """joints [T, J, 3] in the skeleton's unit (SMPL: metres), Y up; fps: frames a second.

    features [T, dim]: raw features in `representation`, where the motion came as such; caption: its sentence;
    about: provenance, and the facts of the corpus whose features they are (skeleton, compat, bone_lengths).
    """

    joints: Tensor
    fps: float
    skeleton: Skeleton = SMPL_22
    caption: str = ""
    representation: str = ""
    features: Tensor | None = None
    about: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.joints)

    @property
    def seconds(self) -> float:
        return len(self) / self.fps

    def save(self, path: str | Path) -> None:
        """An .npz file; equal motions are equal bytes."""
        arrays: dict[str, Any] = {
            "joints": self.joints.numpy(),
            "fps": np.float64(self.fps),
            "skeleton": np.array(self.skeleton.name),
            "caption": np.array(self.caption),
            "representation": np.array(self.representation),
            "about": np.array(json.dumps(self.about, sort_keys=True)),
        }
        if self.features is not None:
            arrays["features"] = self.features.numpy()
        with atomic(path) as temporary, open(temporary, "wb") as out:
            np.savez_compressed(out, **arrays)


def read_motion(path: str | Path, *, body_models: str | Path | None = None) -> Motion:
    """The motion of a file.

    .npz  of `generate`; or SMPL, SMPL+H or SMPL-X poses as AMASS has them, Y up then, at 20 frames a second at most
    .npy  joints [T, J, 3] or raw features [T, dim]
    .bvh  any human skeleton: resampled to 20 frames a second, standing on the floor, facing +Z

    body_models: the folder of the body models that poses move, if they are not from `export-motion`.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if path.is_dir():
        raise InputError("a folder", where=path, fix=f"name the files in it ({KINDS})")
    if kind not in (".npz", ".npy", ".bvh"):
        raise InputError(f"unknown kind of motion {kind!r}", where=path, fix=f"pass an {KINDS}")
    if not path.is_file():
        raise InputError("no such file", where=path, fix=f"pass an {KINDS}")
    if kind == ".npz":
        motion = _read_npz(path, body_models)
    else:
        motion = _read_npy(path) if kind == ".npy" else _read_bvh(path)
    if len(motion) < 1 or not bool(motion.joints.isfinite().all()):
        raise InputError("no frames, or NaN among its joints", where=path, fix="repair the motion")
    return motion


def _read_npz(path: Path, body_models: str | Path | None) -> Motion:
    names = ("joints", "fps", "skeleton", "caption", "representation", "about", "features")
    arrays = read_arrays(path, (*names, "poses"))
    if "poses" in arrays and "joints" not in arrays:
        moved, rate, caption = read_poses(path, SMPL_22.fps, body_models)
        return Motion(moved, rate, caption=caption)
    missing = [name for name in names[:-1] if name not in arrays]
    if missing:
        raise InputError(f"no array {missing[0]!r}", where=path, fix=f"pass an {KINDS}")
    skeleton = SKELETONS.get(str(arrays["skeleton"]))
    joints, fps, features = arrays["joints"], arrays["fps"], arrays.get("features")
    wrong = {
        "skeleton": skeleton is None,
        "joints": joints.dtype.kind != "f" or joints.shape[1:] != (len(skeleton or ()), 3),
        "fps": fps.shape != () or fps.dtype.kind not in "fiu" or not 0 < fps < np.inf,
        "features": features is not None and (features.dtype.kind != "f" or features.ndim != 2),
        "about": not str(arrays["about"]).startswith("{"),
    }
    if skeleton is None or any(wrong.values()):
        key = next(key for key, found in wrong.items() if found)
        said = f"{arrays[key].dtype} of shape {arrays[key].shape} is no {key} of a motion"
        raise InputError(said, where=path, field=key, fix=f"pass an {KINDS}")
    return Motion(
        torch.from_numpy(joints),
        float(fps),
        skeleton,
        str(arrays["caption"]),
        str(arrays["representation"]),
        None if features is None else torch.from_numpy(features),
        json.loads(str(arrays["about"])),
    )


def _read_npy(path: Path) -> Motion:
    array = torch.from_numpy(read_array(path).astype(np.float32))
    for skeleton in SKELETONS.values():
        if array.ndim == 3 and array.shape[1:] == (len(skeleton), 3):
            return Motion(array, skeleton.fps, skeleton)
        for name in MODULES if array.ndim == 2 else ():
            lengths = [0.0] * len(skeleton) if skeleton.lengths is None else None
            if array.shape[1] != representation(name, skeleton.name, bone_lengths=lengths).dim:
                continue
            if skeleton.lengths is None and name == "rotation":
                continue  # nobody knows the body
            joints = representation(name, skeleton.name, bone_lengths=lengths).decode(array[None])
            return Motion(joints[0], skeleton.fps, skeleton, "", name, array)
    raise InputError(
        f"shape {tuple(array.shape)} is neither joints [T, 22, 3] nor features [T, dim]",
        where=path,
        fix=f"pass an {KINDS}",
    )


def _read_bvh(path: Path) -> Motion:
    reader = open_reader({}, [path], Report(fatal=True))
    body = reader.body(read_bvh(path).resampled(SMPL_22.fps), path)
    return Motion(torch.from_numpy(placed(body)).float(), SMPL_22.fps)
