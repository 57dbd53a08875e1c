"""Files of released evaluators: statistics, and the keys of the section that name them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from motionrft import contents
from motionrft.errors import InputError
from motionrft.motion.normaliser import Normaliser


def read_statistics(mean: str | Path, std: str | Path) -> Normaliser:
    """The evaluator's own mean.npy and std.npy, which are not the training set's."""
    centre = contents.read_statistics(mean)
    spread = contents.read_statistics(std, centre.size, deviation=True)
    return Normaliser(torch.from_numpy(centre).float(), torch.from_numpy(spread).float())


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
