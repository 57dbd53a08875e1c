"""Official checkpoint files: read without running anything in them, taken strictly, written back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motionrft.checkpoints import read_foreign
from motionrft.errors import InputError
from motionrft.files import atomic, load_into


def read_checkpoint(path: str | Path, *nests: str) -> dict[str, Any]:
    """The dictionary in a `torch.save` file, or the first of its `nests` that exists, on the CPU.

    Only tensors and plain containers are accepted (`weights_only`).
    """
    content = read_foreign(
        path,
        absent="name the official checkpoint",
        unreadable="not a checkpoint of plain tensors",
        fix="use the official file; files that run code when opened are refused",
    )
    if isinstance(content, dict) and nests:
        content = next((content[nest] for nest in nests if nest in content), None)
    if not isinstance(content, dict):
        raise InputError(
            f"no dictionary {' or '.join(nests)}".strip(), where=path, fix="use the official file"
        )
    return content


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
    load_into(module, tensors, path)
    return [prefix + name for name in tensors]
