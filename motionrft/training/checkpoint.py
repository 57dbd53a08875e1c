"""What a killed job goes on from, and the best weights so far."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motionrft.errors import InputError
from motionrft.files import atomic, digest
from motionrft.plain_pickle import UNREADABLE
from motionrft.training.distributed import rank

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """The file that holds a run's state between two kills.

    identity: JSON-able; what two runs have in common if one may go on from the other's state.
    """

    path: Path
    identity: Any

    def save(self, state: dict[str, Any]) -> None:
        """Written whole or not at all, by the first process only; tensors, numbers and plain containers."""
        if rank() == 0:
            with atomic(self.path) as temporary:
                torch.save({**state, "run": digest(self.identity)}, temporary)

    def load(self, device: torch.device | str = "cpu") -> dict[str, Any] | None:
        """The state, its tensors on `device`; None if there is no file, or one of another run (with a
        warning). A file that cannot be read is an `InputError`."""
        if not self.path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.path, weights_only=True, map_location=device)
        except UNREADABLE as error:
            raise InputError(
                f"unreadable checkpoint ({type(error).__name__})",
                where=self.path,
                fix="delete it to start that job over",
            ) from error
        if state.get("run") != digest(self.identity):
            LOG.warning("%s is of a run with other settings: starting over", self.path)
            return None
        return state


@dataclass
class CheckpointClock:
    """When a loop writes its state: after a multiple of `every` rounds, once `minutes` have passed since the
    last time (0: after each multiple). What a round costs differs a thousandfold between networks; minutes
    of lost work do not."""

    every: int
    minutes: float
    last: float = field(default_factory=time.monotonic)

    def due(self, done: int) -> bool:
        """Whether the state after `done` rounds is to be written; if so, the clock starts again."""
        if done % self.every or time.monotonic() - self.last < 60 * self.minutes:
            return False
        self.last = time.monotonic()
        return True


@dataclass
class BestWeights:
    """The trained weights of the best validation so far."""

    score: float = -math.inf
    step: int = -1
    weights: list[Tensor] | None = None

    def offer(self, score: float, step: int, weights: Sequence[Tensor]) -> bool:
        """Keeps a copy of `weights` if no score before was as large; says whether it did."""
        if not score > self.score:
            return False
        self.score, self.step = score, step
        self.weights = [tensor.detach().clone() for tensor in weights]
        return True
