"""The one interface of a motion representation, and the registry of the three (paper section III-A).

Drop-in: a module of this package that defines `REPRESENTATION` is known by that object's name.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from motionrft.errors import InputError
from motionrft.motion.skeleton import SKELETONS, Skeleton

KINEMATIC, JOINT, ROTATION = "kinematic", "joint", "rotation"
MODULES = {KINEMATIC: "kinematic", JOINT: "joint", ROTATION: "rotation135"}


class Representation(Protocol):
    """Motions as features a frame. Batched; padding after `lengths` is ignored on input and zero on output."""

    name: str
    dim: int
    skeleton: Skeleton

    def encode(self, joints: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Joints [B, T, 22, 3] in metres (Y up, 20 fps), lengths [B] -> features [B, T', dim], their lengths."""
        ...

    def decode(self, features: Tensor) -> Tensor:
        """Features [B, T, dim] (raw, not normalised) -> joints [B, T, 22, 3]. Differentiable."""
        ...


def representation(
    name: str,
    skeleton: str = "smpl22",
    compat: str = "humanml3d",
    bone_lengths: Sequence[float] | None = None,
) -> Representation:
    """The named representation; another skeleton, variant or target body makes another object of its class."""
    if name not in MODULES:
        raise InputError(
            f"unknown representation {name!r}", fix=f"choose from {', '.join(MODULES)}"
        )
    module = importlib.import_module(f"motionrft.motion.{MODULES[name]}")
    default: Representation = module.REPRESENTATION
    if (skeleton, compat, bone_lengths) == ("smpl22", "humanml3d", None):
        return default
    if skeleton not in SKELETONS:
        raise InputError(
            f"unknown skeleton {skeleton!r}", fix=f"choose from {', '.join(SKELETONS)}"
        )
    lengths = None if bone_lengths is None else torch.tensor(bone_lengths)
    other: Representation = type(module.REPRESENTATION)(SKELETONS[skeleton], compat, lengths)
    return other
