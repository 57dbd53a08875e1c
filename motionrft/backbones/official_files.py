"""Official checkpoint files: read without running anything in them, taken strictly, written back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motionrft import checkpoints
from motionrft.checkpoints import load_into
from motionrft.files import atomic


def read_checkpoint(path: str | Path, *nests: str) -> dict[str, Any]:
    """The dictionary in a `torch.save` file, or the first of its `nests` that exists, on the CPU.

    Only tensors and plain containers are accepted (`weights_only`).
    """
    return checkpoints.read_checkpoint(path, *nests)


def write_checkpoint(path: str | Path, content: Mapping[str, Any]) -> None:
    with atomic(path) as temporary:
        torch.save(dict(content), temporary)


def copies(module: nn.Module) -> dict[str, Tensor]:
    """The module's state on the CPU, sharing no memory with it."""
    return {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}


def split_ignored(
    tensors: Mapping[str, Tensor], prefixes: tuple[str, ...]
) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors outside `prefixes`, and the names of those inside."""
    ignored = [name for name in tensors if name.startswith(prefixes)]
    return {name: value for name, value in tensors.items() if name not in set(ignored)}, ignored


def load_strict(
    module: nn.Module, tensors: Mapping[str, Tensor], path: str | Path, prefix: str = ""
) -> list[str]:
    """Loads all of `tensors` into all of `module`; returns the loaded names, `prefix` added."""
    return load_into(module, tensors, path, prefix)
