"""Checkpoint files of other code bases, read without running anything in them, and taken strictly."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from motionrft.errors import InputError
from motionrft.files import atomic

# what the unpickler raises on bytes that are no pickle, beside the error made for it
UNREADABLE = (
    pickle.UnpicklingError, OSError, RuntimeError, EOFError, ValueError, LookupError, AttributeError, TypeError,
)  # fmt: skip


@dataclass(frozen=True)
class LoadReport:
    """What came of an official file: tensors taken and ignored. Anything missing or unexpected was an error.

    notes: what was made of the file's contents beside taking them, a sentence each.
    """

    path: str
    matched: list[str]
    ignored: list[str]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        counts = f"{len(self.matched)} tensors matched, {len(self.ignored)} ignored, 0 missing, 0 unexpected"
        return "\n  ".join([f"{self.path}: {counts}", *self.notes])


def read_plain(path: str | Path, source: str = "the official file") -> Any:
    """What a `torch.save` file holds, on the CPU: tensors, numbers, plain containers and arrays.

    source: where the file comes from, for the error of one that is absent, cut short or holds code.
    """
    if not Path(path).is_file():
        raise InputError("no such file", where=path, fix=f"get {source}")
    try:
        with torch.serialization.safe_globals(_plain_arrays()):
            return torch.load(path, weights_only=True, map_location="cpu")
    except UNREADABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"not a checkpoint of plain tensors ({reason[:120]})",
            where=path,
            fix=f"get {source} again; files that run code when opened are refused",
        ) from None


def read_checkpoint(
    path: str | Path, *sections: str, source: str = "the official file", flat: bool = False
) -> dict[str, Any]:
    """The dictionary in a `torch.save` file, or the first of its `sections` that exists.

    flat: where none of them exists, the file itself is what they would hold.
    """
    content = read_plain(path, source)
    if isinstance(content, dict) and sections:
        whole = content if flat else None
        content = next((content[name] for name in sections if name in content), whole)
    if not isinstance(content, dict):
        part = " or ".join(sections)
        problem = "no such part" if part else "no dictionary"
        raise InputError(problem, where=path, field=part, fix=f"use {source}")
    return content


def write_checkpoint(path: str | Path, content: Mapping[str, Any]) -> None:
    """A `torch.save` file, whole or not at all."""
    with atomic(path) as temporary:
        torch.save(dict(content), temporary)


def copies(module: nn.Module) -> dict[str, Tensor]:
    """The module's state on the CPU, sharing no memory with it."""
    return {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}


def split_ignored(
    tensors: Mapping[str, Tensor], prefixes: tuple[str, ...]
) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors whose names begin with none of `prefixes`, and the names of the others."""
    ignored = [name for name in tensors if name.startswith(prefixes)]
    return {name: value for name, value in tensors.items() if name not in set(ignored)}, ignored


def load_into(
    module: nn.Module, tensors: Mapping[str, Tensor], where: str | Path, prefix: str = ""
) -> list[str]:
    """All of `tensors` into all of `module`; the loaded names, `prefix` added.

    Anything missing, unexpected or of another shape is an `InputError` that names the file, the first such
    tensor, both shapes.
    """
    check_tensors(module.state_dict(), tensors, where, prefix)
    module.load_state_dict(dict(tensors))
    return [prefix + name for name in tensors]


def check_tensors(
    wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor], where: str | Path, prefix: str = ""
) -> None:
    """The `InputError` of `load_into`, unless a file's `tensors` are those a model wants, by name and shape."""
    missing = [name for name in wanted if name not in tensors]
    unexpected = [name for name in tensors if name not in wanted]
    both = [name for name in wanted if name in tensors]
    for name in both:
        if not isinstance(tensors[name], Tensor):
            problem = f"a {type(tensors[name]).__name__}, not a tensor"
            raise InputError(problem, where=where, field=prefix + name, fix="use a complete file")
    shapes = [name for name in both if wanted[name].shape != tensors[name].shape]
    fix = "use the configuration the file was trained with (it is in the file's header)"
    if shapes:
        name = shapes[0]
        raise InputError(
            f"shape {tuple(tensors[name].shape)} in the file, {tuple(wanted[name].shape)} in the model "
            f"({len(shapes)} tensors differ)",
            where=where,
            field=prefix + name,
            fix=fix,
        )
    if missing or unexpected:
        name = (missing + unexpected)[0]
        raise InputError(
            f"{len(missing)} tensors missing from the file, {len(unexpected)} unknown to the model",
            where=where,
            field=prefix + name,
            fix=fix,
        )


def require_tensors(
    state: Collection[str], names: Iterable[str], where: str | Path, source: str
) -> None:
    """An `InputError` for the first of `names` that `state` lacks."""
    for name in names:
        if name not in state:
            raise InputError("tensor missing", where=where, field=name, fix=f"use {source}")


def _plain_arrays() -> list[Any]:
    """What a pickled numpy array of numbers refers to, under its names of numpy 1 and 2: data, no code."""
    rebuild = np._core.multiarray._reconstruct  # type: ignore[attr-defined]
    kinds = [type(np.dtype(name)) for name in ("f4", "f8", "f2", "i4", "i8", "u1", "?")]
    names = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
    return [np.ndarray, np.dtype, *kinds, *((rebuild, name) for name in names)]
