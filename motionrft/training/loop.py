"""The training loop shared by evaluator, reward stages and backbone pre-training.

Every random draw of step k is a function of (seed, k): batches, dropout, noise. A job that was killed
reads its last checkpoint and ends with the very weights of an uninterrupted run.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
from torch import Tensor, nn

from motionrft.counting.half import HalfProducts
from motionrft.errors import InputError
from motionrft.options import read_options
from motionrft.progress import progress
from motionrft.training.checkpoint import BestWeights, Checkpoint, CheckpointClock
from motionrft.training.ema import ExponentialAverage, TargetNetwork, copy_into
from motionrft.training.optimizers import AdamW
from motionrft.training.schedule import Schedule, learning_rate
from motionrft.training.tracking import track

LOG = logging.getLogger(__name__)
LOG_EVERY = 20
Precision = Literal["fp32", "bf16"]
# step, generator -> scalar losses, "loss" among them
LossFunction = Callable[[int, torch.Generator], dict[str, Tensor]]
# step -> numbers to log; larger "score" is better
Validation = Callable[[int], dict[str, float]]


class DivergenceError(InputError):
    """The gradient of `step` is not finite; the weights are those before it."""

    def __init__(self, step: int, label: str):
        fix = "lower the learning rate or set `clip`"
        super().__init__(f"the gradient is not finite at step {step}", where=label, fix=fix)
        self.step = step


@dataclass(frozen=True)
class TrainSettings:
    """steps, batch_size and optimiser of one training stage; the defaults are the schema's."""

    steps: int
    batch_size: int = 64
    lr: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    warmup: int = 0
    schedule: Schedule = "constant"
    clip: float = 0.0  # global gradient norm; 0 = no clipping
    ema: float = 0.0  # decay; 0 = no average
    precision: Precision = "fp32"
    validate_every: int = 0  # steps; 0 = no selection, the last weights are kept
    checkpoint_minutes: float = 5.0  # between two checkpoints; 0 = after every `checkpoint_every`
    checkpoint_every: int = 1  # steps; checkpoints fall on multiples of it
    seed: int = 0

    @classmethod
    def read(cls, section: Mapping[str, Any], where: str = "", **given: Any) -> TrainSettings:
        """From a stage's section of the configuration; `given` are values it may not hold (seed)."""
        return read_options(cls, section, where=where, **given)

    def rate(self, step: int) -> float:
        """The learning rate of update `step`."""
        return learning_rate(
            step, peak=self.lr, steps=self.steps, warmup=self.warmup, schedule=self.schedule
        )


def step_generator(seed: int, step: int, device: torch.device | str = "cpu") -> torch.Generator:
    """The generator of one step. The global generator (dropout) is seeded with it too."""
    mixed = (seed * 2_654_435_761 + step * 40_503 + 12_345) % 2**63
    torch.manual_seed(mixed)
    return torch.Generator(device=device).manual_seed(mixed)


def autocast(precision: str, device: torch.device | str) -> contextlib.AbstractContextManager[Any]:
    kind = torch.device(device).type
    if precision != "bf16":
        return contextlib.nullcontext()
    return HalfProducts() if kind == "meta" else torch.autocast(kind, torch.bfloat16)


def fit(
    module: nn.Module,
    parameters: Sequence[nn.Parameter],
    loss_function: LossFunction,
    settings: TrainSettings,
    checkpoint: str | Path,
    *,
    label: str,
    validation: Validation | None = None,
    target: TargetNetwork | None = None,
) -> pd.DataFrame:
    """Trains `parameters` of `module` in place and returns the tidy history (step, name, value).

    The module ends with the averaged weights if `ema` is set, and with those of the best validation score
    if `validate_every` is set. `checkpoint` holds the state between kills; the caller removes it once the
    result is written. `target` moves after every update.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    run = _Run(trained, settings, label, target)
    shapes = [tuple(parameter.shape) for parameter in trained]
    kept = Checkpoint(Path(checkpoint), [asdict(settings), label, shapes])
    state = kept.load(trained[0].device)
    if state is not None:
        run.load_state_dict(state)
        LOG.info("%s goes on from step %d of %d", label, run.step, settings.steps)
    began = time.monotonic()
    clock = CheckpointClock(settings.checkpoint_every, settings.checkpoint_minutes)
    module.train()
    steps = range(run.step, settings.steps)
    bar = progress(steps, total=settings.steps, initial=run.step, label=label, unit="steps")
    for step in bar:
        losses = run.update(step, loss_function)
        if step % LOG_EVERY == 0 or run.step == settings.steps:
            bar.set_postfix(loss=f"{run.log(step, losses)['loss']:.4f}")
        if validation is not None and _due(run.step, settings.validate_every, settings.steps):
            run.validate(step, module, validation)
        if run.step < settings.steps and clock.due(run.step):
            kept.save(run.state_dict())
    run.finish()
    module.eval()
    run.history.append(_row(settings.steps, "train_s", time.monotonic() - began))
    return pd.DataFrame(run.history)


class _Run:
    """The state of one training: optimiser, average, target, history, best weights, and the step it is at."""

    def __init__(
        self,
        trained: list[nn.Parameter],
        settings: TrainSettings,
        label: str,
        target: TargetNetwork | None,
    ):
        self.trained, self.settings, self.label, self.target = trained, settings, label, target
        self.optimizer = AdamW(
            trained, lr=settings.lr, betas=settings.betas, weight_decay=settings.weight_decay
        )
        self.average = ExponentialAverage(trained, settings.ema) if settings.ema else None
        self.best = BestWeights()
        self.history: list[dict[str, Any]] = []
        self.step = 0
        self.norm = math.nan

    def update(self, step: int, loss_function: LossFunction) -> dict[str, Tensor]:
        """One step of the optimiser; the losses it was taken from."""
        settings, device = self.settings, self.trained[0].device
        generator = step_generator(settings.seed, step, device)
        self.optimizer.rate = settings.rate(step)
        with autocast(settings.precision, device):
            losses = loss_function(step, generator)
        self.optimizer.zero_grad()
        losses["loss"].backward()
        norm = torch.nn.utils.clip_grad_norm_(self.trained, settings.clip or math.inf)
        if not torch.isfinite(norm):
            raise DivergenceError(step, self.label)
        self.optimizer.step()
        for follower in (self.average, self.target):
            if follower is not None:
                follower.update()
        self.norm, self.step = float(norm), step + 1
        return losses

    def log(self, step: int, losses: dict[str, Tensor]) -> dict[str, float]:
        values = {name: float(value.detach()) for name, value in losses.items()}
        rows = {**values, "grad_norm": self.norm}
        track(step, rows | {"lr": self.settings.rate(step)})
        self.history += [_row(step, name, value) for name, value in rows.items()]
        return values

    def validate(self, step: int, module: nn.Module, validation: Validation) -> None:
        """With the averaged weights, in eval mode; the best weights are kept."""
        with self.average.applied() if self.average else contextlib.nullcontext():
            module.eval()
            numbers = validation(step)
            module.train()
            self.best.offer(numbers["score"], step, self.trained)
        validated = {f"val/{name}": value for name, value in numbers.items()}
        self.history += [_row(step, name, value) for name, value in validated.items()]
        track(step, validated)

    def finish(self) -> None:
        """The weights the run ends with: the best, else the averaged ones, else the last."""
        if self.best.weights is not None:
            copy_into(self.trained, self.best.weights)
        elif self.average is not None:
            copy_into(self.trained, self.average.shadow)

    def _parts(self) -> dict[str, Any]:
        parts = {"optimizer": self.optimizer, "average": self.average, "target": self.target}
        return {name: part for name, part in parts.items() if part is not None}

    def state_dict(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "parameters": [parameter.detach() for parameter in self.trained],
            "history": self.history,
            "best": vars(self.best),
            **{name: part.state_dict() for name, part in self._parts().items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.step, self.history = int(state["step"]), list(state["history"])
        self.best = BestWeights(**state["best"])
        copy_into(self.trained, state["parameters"])
        for name, part in self._parts().items():
            part.load_state_dict(state[name])


def _due(done: int, every: int, steps: int) -> bool:
    """After every `every` steps (0: never) and after the last."""
    return every > 0 and (done % every == 0 or done == steps)


def _row(step: int, name: str, value: float) -> dict[str, Any]:
    return {"step": step, "name": name, "value": value}
