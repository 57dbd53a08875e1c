"""Checkpoints of others: read without running anything that is in them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionrft.errors import InputError

# what the unpickler raises on bytes that are no pickle, beside the error made for it
UNREADABLE = (
    pickle.UnpicklingError, OSError, RuntimeError, EOFError, ValueError, LookupError, AttributeError, TypeError,
)  # fmt: skip


def read_foreign(path: str | Path, *, absent: str, unreadable: str, fix: str) -> Any:
    """What a `torch.save` file holds, on the CPU: tensors, numbers, plain containers and arrays.

    absent: what to do where there is no file; unreadable, fix: what to say of any other, and what to do.
    """
    if not Path(path).is_file():
        raise InputError("no such file", where=path, fix=absent)
    try:
        with torch.serialization.safe_globals(plain_arrays()):
            return torch.load(path, weights_only=True, map_location="cpu")
    except UNREADABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{unreadable} ({reason[:120]})", where=path, fix=fix) from None


def plain_arrays() -> list[Any]:
    """What a pickled numpy array of numbers refers to, under its names of numpy 1 and 2: data, no code."""
    rebuild = np._core.multiarray._reconstruct  # type: ignore[attr-defined]
    kinds = [type(np.dtype(name)) for name in ("f4", "f8", "f2", "i4", "i8", "u1", "?")]
    names = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
    return [np.ndarray, np.dtype, *kinds, *((rebuild, name) for name in names)]
