"""A motion as what players draw: metres over the origin, and a skeleton's limbs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from motionrft.motion.skeleton import Skeleton


def centred(joints: Tensor, pose: Tensor) -> Tensor:
    """[..., J, 3] joints, moved so that the root of `pose` [J, 3] stands over the origin; heights stay."""
    return joints - pose[0] * torch.tensor([1.0, 0.0, 1.0])


def pack(joints: Tensor, skeleton: Skeleton) -> str:
    """[T, J, 3] in the skeleton's unit -> base64 of int16 millimetres, first frame over the origin."""
    whole = (centred(joints, joints[0]) * (1000 / skeleton.metre)).round()
    return base64.b64encode(whole.clamp(-32768, 32767).to(torch.int16).numpy().tobytes()).decode()


def player_data(
    skeleton: Skeleton, fps: float, entries: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """What player.js reads. entries: {"backbone", "prompts", "models", "show", "first"}, a list to choose from, opened at
    the one that is `first`. A model is {"model": its name, "motions": [packed]}, one motion a prompt, and may have
    "facts" (a text a prompt) and "bvh" (a file a prompt: deflated, base64); `show`: the models seen side by side."""
    return {
        "fps": fps,
        "joints": len(skeleton),
        "chains": [list(chain) for chain in skeleton.chains],
        "entries": list(entries),
    }
