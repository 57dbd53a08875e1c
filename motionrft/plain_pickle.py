"""Pickled tensors without what else was pickled: nothing of a file runs, whatever lies beside its weights."""

from __future__ import annotations

import collections
import pickle
import re
import struct
import types
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

# what the unpickler raises on bytes that are no pickle, beside the error made for it
UNREADABLE = (
    pickle.UnpicklingError, OSError, RuntimeError, EOFError, ValueError, LookupError, AttributeError, TypeError, MemoryError,
    AssertionError, ImportError, OverflowError, zipfile.BadZipFile, struct.error,
    zlib.error,
)  # fmt: skip
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# modules whose functions would run something; no checkpoint needs them, so that a file which names one is refused
RUNNING = {
    "os", "posix", "nt", "subprocess", "sys", "builtins", "__builtin__", "importlib", "runpy", "shutil", "socket", "ctypes",
    "pty", "code", "commands", "webbrowser", "multiprocessing", "asyncio", "pickle", "_pickle", "marshal", "timeit", "pdb",
    "tempfile", "io", "_io", "urllib", "http", "operator", "_operator",
}  # fmt: skip
WRAPPERS = (
    "module.",
    "_orig_mod.",
)  # what DistributedDataParallel and torch.compile put before names


class Inert:
    """Stands for an object of a class that a checkpoint names and that is neither tensor nor plain data: the class
    is never looked up, and nothing of it runs."""

    def __new__(cls, *_: Any, **__: Any) -> Inert:
        return object.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass

    def _ignore(self, *_: Any) -> None:
        pass

    append = extend = add = update = __setitem__ = _ignore


def _numpy_scalar(dtype: Any, data: Any = b"") -> Any:
    """A numpy scalar as a plain number."""
    if not isinstance(dtype, np.dtype) or dtype.kind not in "fiubc" or not isinstance(data, bytes):
        return Inert()
    return np.frombuffer(data, dtype)[0].item()


def _plain() -> dict[tuple[str, str], Any]:
    """What tensors, arrays and plain containers are rebuilt with, by module and name."""
    rebuild = np._core.multiarray._reconstruct  # type: ignore[attr-defined]
    known: dict[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("collections", "defaultdict"): lambda *_: {},
        ("collections", "Counter"): dict,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): lambda text, *_: str(text).encode("latin-1"),
        ("torch.nn.parameter", "Parameter"): lambda data, *_: data,
        ("torch", "Size"): torch.Size,
        ("torch", "device"): torch.device,
    }
    known |= {("builtins", kind.__name__): kind for kind in (set, frozenset, complex, bytearray)}
    known |= {("__builtin__", name): kind for (_, name), kind in known.items() if _ == "builtins"}
    for name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
        known["torch._utils", name] = getattr(torch._utils, name)
    known["torch._utils", "_rebuild_parameter"] = lambda data, *_: data
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        known[module, "_reconstruct"] = rebuild
        known[module, "scalar"] = _numpy_scalar
    for name in (
        "float16",
        "bfloat16",
        "float32",
        "float64",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "bool",
    ):
        known["torch", name] = getattr(torch, name)
    return known


PLAIN = _plain()


class _Unpickler(pickle.Unpickler):
    """Finds tensors and plain data; a function that would run something is refused, anything else is `Inert`."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in PLAIN:
            return PLAIN[module, name]
        if module.split(".")[0] in RUNNING or name == "_load_from_bytes":
            raise pickle.UnpicklingError(f"it would run {module}.{name}")
        return type(name, (Inert,), {"__module__": module})


# torch.load asks for a module; these are the parts of pickle that it uses
_PICKLE = types.ModuleType("plain_pickle")
_PICKLE.Unpickler = _Unpickler  # type: ignore[attr-defined]
_PICKLE.load = lambda file, **options: _Unpickler(file, **options).load()  # type: ignore[attr-defined]


def load(path: str | Path) -> Any:
    """What a `torch.save` file holds, on the CPU: tensors, numbers, plain containers and arrays.

    Half-precision tensors become float32; names lose what DistributedDataParallel and torch.compile put before them;
    objects of any class beside the weights are not rebuilt. Raises one of `UNREADABLE`.
    """
    _check_archive(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = torch.load(path, map_location="cpu", weights_only=False, pickle_module=_PICKLE)
    if isinstance(content, Inert):
        kind = f"{type(content).__module__}.{type(content).__name__}"
        raise ValueError(f"it holds a {kind} object, not tensors by name")
    return _tidy(content)


def reason(error: BaseException) -> str:
    """An unreadable file's error in one short line without colours."""
    return " ".join(COLOURS.sub("", str(error)).split())[:120] or type(error).__name__


def _check_archive(path: str | Path) -> None:
    """Raises for an archive that holds code, or whose bytes are not those that were written: torch itself does not
    compare the checksums of tensors, and would read a damaged file as other numbers."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        if any(name.endswith("constants.pkl") for name in archive.namelist()):
            raise ValueError("a TorchScript archive, which holds code")
        damaged = archive.testzip()
    if damaged:
        raise ValueError(f"damaged: {damaged} does not have its checksum")


def _tidy(value: Any) -> Any:
    """Half precision widened and wrappers taken off names, at every depth of dictionaries."""
    if isinstance(value, Tensor):
        return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
    if not isinstance(value, dict):
        return value
    if any(isinstance(entry, Tensor) for entry in value.values()):
        value = {_unwrapped(name, value): entry for name, entry in value.items()}
    return {name: _tidy(entry) for name, entry in value.items()}


def _unwrapped(name: Any, tensors: Mapping[Any, Any]) -> Any:
    """`name` without the wrappers that stand before every tensor's name, and without torch.compile's inside."""
    if not isinstance(name, str):
        return name
    for wrapper in WRAPPERS:
        if all(
            str(key).startswith(wrapper)
            for key, entry in tensors.items()
            if isinstance(entry, Tensor)
        ):
            name = name.removeprefix(wrapper)
    return name.replace("_orig_mod.", "")
