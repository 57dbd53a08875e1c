"""Official checkpoint files: read without running anything in them, taken strictly, written back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motionrft.checkpoints import Inert, read_foreign, weights_in
from motionrft.errors import InputError
from motionrft.files import atomic, load_into

UNREADABLE = "not a checkpoint of plain tensors"


def read_checkpoint(path: str | Path, *nests: str) -> dict[str, Any]:
    """The dictionary in a `torch.save` file, or the first of its `nests` that exists, on the CPU.

    Weights that a training tool has nested or renamed otherwise are found, too (`checkpoints.weights_in`).
    """
    content = read_foreign(
        path,
        absent="name the official checkpoint",
        unreadable=UNREADABLE,
        fix="use the official file; files that run code when opened are refused",
    )
    weights = weights_in(content, *nests)
    if weights is None:
        holds = ", ".join(map(str, content))[:200] if isinstance(content, dict) else type(content)
        raise InputError(
            f"no dictionary {' or '.join(nests)}".strip() + f"; the file holds {holds}",
            where=path,
            fix="use the official file",
        )
    strange = [name for name, entry in weights.items() if isinstance(entry, Inert)]
    if strange and not any(isinstance(entry, Tensor) for entry in weights.values()):
        raise InputError(
            f"{UNREADABLE} ({strange[0]} is a {type(weights[strange[0]]).__name__})",
            where=path,
            fix="use the official file",
        )
    return weights


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
