"""Where a job computes: the `--device` option of every stage, and how its batches get there."""

from __future__ import annotations

import torch
from torch import Tensor

from motionrft.errors import InputError


def pick_device(name: str) -> torch.device:
    """`auto` takes a GPU if CUDA_VISIBLE_DEVICES shows one, else the CPU; `cuda` without a GPU is an error.

    On a GPU float32 products and convolutions run in TF32 from here on; NVIDIA's own NVIDIA_TF32_OVERRIDE=0 in the
    environment keeps them in float32.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
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
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    return device


def moved(tensor: Tensor, device: torch.device | str) -> Tensor:
    """On `device`. From the CPU to a GPU by way of pinned memory, so that the program goes on while it is copied."""
    if tensor.device.type == "cpu" and torch.device(device).type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
