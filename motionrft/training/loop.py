"""The training loop shared by evaluator, reward stages and backbone pre-training.

Every random draw of step k is a function of (seed, k): batches, dropout, noise. A job that was killed
reads its last checkpoint and ends with the very weights of an uninterrupted run.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from motionrft.errors import InputError
from motionrft.files import atomic
from motionrft.progress import progress

LOG = logging.getLogger(__name__)
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
    schedule: str = "constant"  # constant | cosine
    clip: float = 0.0  # global gradient norm; 0 = no clipping
    ema: float = 0.0  # decay; 0 = no average
    precision: str = "fp32"  # fp32 | bf16
    validate_every: int = 0  # steps; 0 = no selection, the last weights are kept
    checkpoint_every: int = 200
    seed: int = 0

    @classmethod
    def read(cls, section: dict[str, Any], where: str = "", **extra: Any) -> TrainSettings:
        known = set(cls.__dataclass_fields__)
        unknown = set(section) - known
        if unknown:
            raise InputError(
                f"unknown key {sorted(unknown)[0]!r}",
                where=where,
                fix=f"known keys: {', '.join(sorted(known))}",
            )
        values = {**section, **extra}
        if "betas" in values:
            values["betas"] = tuple(values["betas"])
        return cls(**values)


def learning_rate(settings: TrainSettings, step: int) -> float:
    """Linear warm-up, then constant, or cosine to zero at the last step."""
    if settings.warmup and step < settings.warmup:
        return settings.lr * (step + 1) / settings.warmup
    if settings.schedule == "constant":
        return settings.lr
    done = (step - settings.warmup) / max(settings.steps - settings.warmup, 1)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def step_generator(seed: int, step: int, device: torch.device | str = "cpu") -> torch.Generator:
    """The generator of one step. The global generator (dropout) is seeded with it too."""
    mixed = (seed * 2_654_435_761 + step * 40_503 + 12_345) % 2**63
    torch.manual_seed(mixed)
    return torch.Generator(device=device).manual_seed(mixed)


def autocast(precision: str, device: torch.device | str) -> contextlib.AbstractContextManager[Any]:
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()


@torch.no_grad()
def copy_into(targets: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
    """Values of `sources` into `targets`, in one fused call."""
    torch._foreach_copy_(list(targets), list(sources))


class ExponentialAverage:
    """EMA of parameters; early steps use the smaller decay (1+k)/(10+k) so that short runs forget their start."""

    def __init__(self, parameters: Sequence[nn.Parameter], decay: float):
        self.parameters, self.decay, self.count = list(parameters), decay, 0
        self.shadow = [parameter.detach().clone() for parameter in self.parameters]

    @torch.no_grad()
    def update(self) -> None:
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        self.count += 1
        torch._foreach_lerp_(self.shadow, [p.detach() for p in self.parameters], 1 - decay)

    @contextlib.contextmanager
    def applied(self):
        """The averages stand in for the parameters inside the block."""
        kept = [parameter.detach().clone() for parameter in self.parameters]
        with torch.no_grad():
            copy_into(self.parameters, self.shadow)
        try:
            yield
        finally:
            with torch.no_grad():
                copy_into(self.parameters, kept)


def fit(
    module: nn.Module,
    parameters: Sequence[nn.Parameter],
    loss_function: LossFunction,
    settings: TrainSettings,
    checkpoint: str | Path,
    *,
    label: str,
    validation: Validation | None = None,
    after_step: Callable[[], None] | None = None,
    companions: Sequence[nn.Module] = (),
) -> pd.DataFrame:
    """Trains `parameters` of `module` in place and returns the tidy history (step, name, value).

    The module ends with the averaged weights if `ema` is set, and with those of the best validation
    score if `validate_every` is set. `checkpoint` holds the state between kills and is removed at the end
    by the caller (`Path.unlink`) once the result is written. `after_step` runs after every update;
    `companions` are networks it changes (an EMA target), which checkpoints keep.
    """
    checkpoint = Path(checkpoint)
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    device = trained[0].device
    optimizer = torch.optim.AdamW(
        trained, lr=settings.lr, betas=settings.betas, weight_decay=settings.weight_decay
    )
    average = ExponentialAverage(trained, settings.ema) if settings.ema else None
    history: list[dict[str, Any]] = []
    best: dict[str, Any] = {"score": -math.inf, "weights": None, "step": -1}
    start = 0
    if checkpoint.exists():
        start = _restore(checkpoint, trained, optimizer, average, history, best, companions)
        LOG.info("%s continues at step %d of %d", label, start, settings.steps)
    began = time.monotonic()
    module.train()
    bar = progress(range(start, settings.steps), total=settings.steps, initial=start, label=label)
    for step in bar:
        generator = step_generator(settings.seed, step, device)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, step)
        with autocast(settings.precision, device):
            losses = loss_function(step, generator)
        optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()
        norm = torch.nn.utils.clip_grad_norm_(trained, settings.clip or math.inf)
        if not torch.isfinite(norm):
            raise DivergenceError(step, label)
        optimizer.step()
        if average is not None:
            average.update()
        if after_step is not None:
            after_step()
        if step % 20 == 0 or step == settings.steps - 1:
            values = {name: float(value.detach()) for name, value in losses.items()}
            bar.set_postfix(loss=f"{values['loss']:.4f}")
            history += [
                {"step": step, "name": name, "value": value} for name, value in values.items()
            ]
            history.append({"step": step, "name": "grad_norm", "value": float(norm)})
        done = step + 1
        if (
            validation
            and settings.validate_every
            and (done % settings.validate_every == 0 or done == settings.steps)
        ):
            with average.applied() if average else contextlib.nullcontext():
                module.eval()
                numbers = validation(step)
                module.train()
                if numbers["score"] > best["score"]:
                    best.update(
                        score=numbers["score"],
                        step=step,
                        weights=[p.detach().clone() for p in trained],
                    )
            history += [
                {"step": step, "name": f"val/{name}", "value": value}
                for name, value in numbers.items()
            ]
        if done % settings.checkpoint_every == 0 and done < settings.steps:
            _save(checkpoint, done, trained, optimizer, average, history, best, companions)
    with torch.no_grad():
        if best["weights"] is not None:
            copy_into(trained, best["weights"])
        elif average is not None:
            copy_into(trained, average.shadow)
    module.eval()
    history.append({"step": settings.steps, "name": "train_s", "value": time.monotonic() - began})
    return pd.DataFrame(history)


def _save(path: Path, step: int, trained, optimizer, average, history, best, companions) -> None:
    state = {
        "step": step,
        "parameters": [parameter.detach() for parameter in trained],
        "optimizer": optimizer.state_dict(),
        "average": (average.shadow, average.count) if average else None,
        "history": history,
        "best": best,
        "companions": [module.state_dict() for module in companions],
    }
    with atomic(path) as temporary:
        torch.save(state, temporary)


def _restore(path: Path, trained, optimizer, average, history: list, best: dict, companions) -> int:
    """Reads a checkpoint back into everything passed; returns the step to continue from."""
    try:
        state = torch.load(path, weights_only=True, map_location=trained[0].device)
    except Exception as error:
        raise InputError(
            f"unreadable checkpoint ({type(error).__name__})",
            where=path,
            fix="delete it to start that job over",
        ) from error
    shapes = [p.shape for p in trained]
    if [p.shape for p in state["parameters"]] != shapes:
        raise InputError(
            "the checkpoint is of another network",
            where=path,
            fix="delete it to start that job over",
        )
    with torch.no_grad():
        copy_into(trained, state["parameters"])
    optimizer.load_state_dict(state["optimizer"])
    if average is not None and state["average"] is not None:
        shadow, average.count = state["average"]
        copy_into(average.shadow, shadow)
    for module, weights in zip(companions, state["companions"], strict=True):
        module.load_state_dict(weights)
    history += state["history"]
    best.update(state["best"])
    return int(state["step"])
