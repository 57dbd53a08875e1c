"""Files of released evaluators: statistics, and the keys of the section that name them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionrft.errors import InputError
from motionrft.motion.normaliser import Normaliser


def read_statistics(mean: str | Path, std: str | Path) -> Normaliser:
    """The evaluator's own mean.npy and std.npy, which are not the training set's."""
    arrays = []
    for path in (mean, std):
        try:
            arrays.append(torch.from_numpy(np.load(path, allow_pickle=False)).float().flatten())
        except (OSError, ValueError) as error:
            raise InputError(
                f"unreadable ({error})",
                where=path,
                fix="use the .npy file beside the evaluator's checkpoint",
            ) from None
    if arrays[0].shape != arrays[1].shape or not bool((arrays[1] > 0).all()):
        raise InputError(
            "mean and std do not fit", where=std, field="std", fix="use both files of one release"
        )
    return Normaliser(*arrays)


def require(settings: dict[str, Any], keys: Iterable[str], where: str) -> None:
    """An `InputError` for the first of `keys` that the `evaluator:` section does not set."""
    for key in keys:
        if not settings.get(key):
            raise InputError(
                "needed with evaluator.checkpoint",
                where=where,
                field=f"evaluator.{key}",
                fix="name the file or folder of the official release",
            )
