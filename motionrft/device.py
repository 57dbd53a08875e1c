"""Where a job computes: the `--device` option of every stage."""

from __future__ import annotations

import torch

from motionrft.errors import InputError


def pick_device(name: str) -> torch.device:
    """`auto` takes a GPU if CUDA_VISIBLE_DEVICES shows one, else the CPU; `cuda` without a GPU is an error."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(
            f"unknown device {name!r}", where="--device", fix="use auto, cpu or cuda"
        ) from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "no GPU is visible",
            where="--device",
            fix="use --device cpu, or check CUDA_VISIBLE_DEVICES",
        )
    return device
