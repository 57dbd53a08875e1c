"""Numbers of a training as they come, for a dashboard to show: TensorBoard or Weights & Biases.

`track: tensorboard | wandb` of a run turns it on. What is trained does not depend on it: a tracker is told numbers that
are there anyway.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol

from motionrft.errors import InputError
from motionrft.files import digest
from motionrft.training.distributed import rank

NONE = "none"
PROJECT = "motionrft"


class Tracker(Protocol):
    """Where numbers go."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of one step, by name."""

    def close(self) -> None:
        """No more will come."""


_current: ContextVar[Tracker | None] = ContextVar("tracker", default=None)


@contextlib.contextmanager
def tracked(kind: str, folder: str | Path, name: str = "") -> Iterator[None]:
    """What `track` is told in this block goes into `folder`. kind: none, tensorboard or wandb; name: of the training.

    Of several processes the first one writes.
    """
    if kind == NONE or rank() != 0:
        yield
        return
    tracker = KINDS[kind](Path(folder), name)
    token = _current.set(tracker)
    try:
        yield
    finally:
        _current.reset(token)
        tracker.close()


def track(step: int, values: Mapping[str, float]) -> None:
    """Finite numbers of a step, to the tracker in whose block this is called; without one, nothing."""
    tracker = _current.get()
    if tracker is not None:
        finite = {name: float(value) for name, value in values.items() if math.isfinite(value)}
        tracker.scalars(step, finite)


class TensorBoard:
    """Event files. A training that goes on from a checkpoint takes back what it had written beyond it."""

    def __init__(self, folder: Path, name: str):
        del name  # TensorBoard shows the folder's
        self.folder = folder
        self.writer: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise _not_installed("tensorboard") from None
        self.open = SummaryWriter

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        if self.writer is None:
            self.writer = self.open(str(self.folder), purge_step=step)
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


class WeightsAndBiases:
    """A run of the project `motionrft`; kept in the folder, and sent nowhere unless WANDB_MODE says so."""

    def __init__(self, folder: Path, name: str):
        try:
            import wandb
        except ImportError:
            raise _not_installed("wandb") from None
        folder.mkdir(parents=True, exist_ok=True)
        self.run = wandb.init(
            project=PROJECT,
            name=name,
            dir=str(folder),
            id=digest(str(folder.resolve())),
            resume="allow",
            mode=os.environ.get("WANDB_MODE", "offline"),
        )

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self.run.log(dict(values), step=step)

    def close(self) -> None:
        self.run.finish()


KINDS: dict[str, Callable[[Path, str], Tracker]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
}


def _not_installed(package: str) -> InputError:
    return InputError(
        f"the package {package} is not installed",
        field="track",
        fix='pip install "motionrft[track]", or set track: none',
    )
