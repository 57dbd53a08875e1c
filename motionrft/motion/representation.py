"""The one interface of a motion representation, and the registry of the three (paper section III-A).

Drop-in: a module of this package that defines `REPRESENTATION` is known by that object's name.
"""

from __future__ import annotations

import importlib
from typing import Protocol

from torch import Tensor

from motionrft.errors import InputError

MODULES = {"kinematic": "kinematic", "joint": "joint", "rotation": "rotation135"}


class Representation(Protocol):
    """Motions as features a frame. Batched; padding after `lengths` is ignored on input and zero on output."""

    name: str
    dim: int

    def encode(self, joints: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Joints [B, T, 22, 3] in metres (Y up, 20 fps), lengths [B] -> features [B, T', dim], their lengths."""
        ...

    def decode(self, features: Tensor) -> Tensor:
        """Features [B, T, dim] (raw, not normalised) -> joints [B, T, 22, 3]. Differentiable."""
        ...


def representation(name: str) -> Representation:
    if name not in MODULES:
        raise InputError(
            f"unknown representation {name!r}", fix=f"choose from {', '.join(MODULES)}"
        )
    return importlib.import_module(f"motionrft.motion.{MODULES[name]}").REPRESENTATION
