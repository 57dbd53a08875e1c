"""Checkpoint files of other code bases, read without running anything in them, and taken strictly."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motionrft import plain_pickle
from motionrft.contents import refuse_stand_in
from motionrft.errors import InputError
from motionrft.files import atomic

# where training tools keep the weights inside of what they save
NESTS = ("state_dict", "model_state_dict", "model", "module", "network")


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
    """What a `torch.save` file holds, on the CPU: tensors, numbers, plain containers and arrays (`plain_pickle.load`).

    source: where the file comes from, for the error of one that is absent, cut short or holds code.
    """
    refuse_stand_in(path, fix=f"get {source}")
    try:
        return plain_pickle.load(path)
    except plain_pickle.UNREADABLE as error:
        raise InputError(
            f"not a checkpoint of plain tensors ({plain_pickle.reason(error)})",
            where=path,
            fix=f"get {source} again; files that run code when opened are refused",
        ) from None


def read_checkpoint(
    path: str | Path, *sections: str, source: str = "the official file", flat: bool = False
) -> dict[str, Any]:
    """The dictionary in a `torch.save` file, or the first of its `sections` that exists.

    flat: where none of them exists, the file itself is what they would hold. Weights that lie bare in the file are
    taken for the section; with `flat`, or for a section of `NESTS`, so are those under another of these names.
    """
    content = read_plain(path, source)
    section = _section(content, sections, flat)
    if not isinstance(section, dict):
        part = " or ".join(sections)
        problem = "no such part" if part else "no dictionary"
        kind = content if isinstance(content, dict) else [f"a {type(content).__name__}"]
        holds = ", ".join(map(str, kind))[:200] or "nothing"
        raise InputError(
            f"{problem}; the file holds {holds}", where=path, field=part, fix=f"use {source}"
        )
    strange = [name for name, entry in section.items() if isinstance(entry, plain_pickle.Inert)]
    if strange and not _holds_tensors(section):
        kind_of = type(section[strange[0]]).__name__
        raise InputError(
            f"not a checkpoint of plain tensors ({strange[0]} is a {kind_of})",
            where=path,
            fix=f"use {source}",
        )
    return section


def _section(content: Any, sections: tuple[str, ...], flat: bool) -> Any:
    """The part of a file that `read_checkpoint` is asked for, or None."""
    if not isinstance(content, dict) or not sections:
        return content
    for name in sections:
        if name in content:
            return _bare(content[name])
    if (flat or set(sections) & set(NESTS)) and not _holds_tensors(content):
        for name in NESTS:
            if _holds_tensors(content.get(name)):
                return _bare(content[name])
    return content if flat or _holds_tensors(content) else None


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(entry, Tensor) for entry in value.values())


def _bare(weights: Any) -> Any:
    """Without the name of the attribute under which Lightning's module holds the network."""
    owned = isinstance(weights, dict) and all(str(name).startswith("model.") for name in weights)
    return {name.removeprefix("model."): weights[name] for name in weights} if owned else weights


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
            f"{len(missing)} tensors missing from the file{_listed(missing)}, "
            f"{len(unexpected)} unknown to the model{_listed(unexpected)}",
            where=where,
            field=prefix + name,
            fix=fix,
        )


def _listed(names: list[str]) -> str:
    return f" ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})" if names else ""


def require_tensors(
    state: Collection[str], names: Iterable[str], where: str | Path, source: str
) -> None:
    """An `InputError` for the first of `names` that `state` lacks."""
    for name in names:
        if name not in state:
            raise InputError("tensor missing", where=where, field=name, fix=f"use {source}")
