"""One cell of the table: the largest batch that fits memory and time, what it costs, and how good that is.

Before the cell itself a small batch runs: it warms the card up and predicts which batch will fit. A batch
that does not fit after all, in memory or in time, is halved.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import torch

from benchmarks.card.jobs import OutOfTimeError, Update, out_of_memory, release

T = TypeVar("T")
SOUND = "sound"
SMALL = 8  # prompts of the batch that runs first
FREE = 0.9  # share of the free memory that a predicted batch may take
# of the card's matrix rate: what a transformer reaches, for a prediction of time; tensor cores wait for memory
EFFICIENCY = {"fp32": 0.5, "tf32": 0.2, "bf16": 0.12}
REPEATS = 3  # trajectories


@dataclass(frozen=True)
class Cell:
    """changes: keys of `finetune` under which it runs; form: what they amount to, in a word."""

    backbone: str
    method: str
    precision: str
    form: str = SOUND
    changes: dict[str, Any] = field(default_factory=dict)

    def about(self) -> dict[str, Any]:
        return {
            "backbone": self.backbone, "method": self.method, "precision": self.precision, "form": self.form,
        }  # fmt: skip

    def __str__(self) -> str:
        return f"{self.backbone} {self.method} {self.precision} ({self.form})"


def attempt(work: Callable[[], T]) -> tuple[T | None, str]:
    """(what `work` returns, ""), or (None, "memory" or "time")."""
    try:
        return work(), ""
    except OutOfTimeError:
        reason = "time"
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        reason = "memory"
    # outside the handler: the exception held the frames, and they the tensors
    release()
    return None, reason


def halved(work: Callable[[int], T], batch: int) -> tuple[T | None, list[str]]:
    """The first of batch, batch / 2, … 1 that can be measured, and why each before it could not."""
    reasons: list[str] = []
    while batch >= 1:
        result, reason = attempt(partial(work, batch))
        if result is not None:
            return result, reasons
        reasons.append(reason)
        batch //= 2
    return None, reasons


@dataclass(frozen=True)
class Card:
    """rates: operations a second of the 4096^3 product, by precision."""

    device: torch.device
    rates: dict[str, float]

    def free(self) -> float:
        """Bytes; infinite where nobody counts."""
        if self.device.type != "cuda":
            return float("inf")
        release()
        return float(torch.cuda.mem_get_info(self.device)[0])


def predicted(
    small: dict[str, Any], batch: int, weights: int, cell: Cell, card: Card
) -> tuple[float, float]:
    """(bytes, seconds) of a trajectory at `batch`, from one at a small batch.

    Gradients (once `weights`) do not grow with the batch; seconds are at most the small run's, scaled, and at
    least its own, which launches bound.
    """
    scale = batch / small["batch"]
    growing = max(small["peak_bytes"] - weights, small["peak_bytes"] / 4)
    rate = EFFICIENCY[cell.precision] * card.rates[cell.precision]
    computing = small["seconds"] + small["flops"] * scale / rate
    return growing * scale + weights, min(small["seconds"] * scale, computing)


def measure_cell(
    update: Update, cell: Cell, asked: int, card: Card, seconds: float
) -> dict[str, Any]:
    """The record of a cell within `seconds`."""
    ends = time.monotonic() + seconds
    row: dict[str, Any] = {**cell.about(), "asked": asked, "status": "ok", "halved_for": []}

    def once(batch: int) -> dict[str, Any]:
        # not all of the time that is left: half of the batch must be possible if this one takes too long
        now = time.monotonic()
        return update.measure(batch, cell.precision, 1, now + 0.6 * (ends - now))

    small, reasons = halved(once, min(SMALL, max(asked // 4, 1)))
    if small is None:
        return {**row, "status": f"does not fit: {reasons[-1]}"}
    free = FREE * card.free()
    if predicted(small, asked, update.weights, cell, card)[1] > ends - time.monotonic():
        # the card was cold: a second run, now that its kernels are loaded
        small = attempt(partial(once, small["batch"]))[0] or small
    batch, halvings = asked, []
    while batch > small["batch"]:
        needed, expected = predicted(small, batch, update.weights, cell, card)
        if needed <= free and expected <= 0.6 * (ends - time.monotonic()):
            break
        halvings.append("memory" if needed > free else "time")
        batch //= 2
    measured, reasons = small, []
    if batch > small["batch"]:
        larger, reasons = halved(once, batch)
        measured = larger or small
    if measured is small:
        # every halving down to the small batch failed
        reasons = reasons[: max(batch // small["batch"], 1).bit_length() - 1]
    left = ends - seconds / 2 - time.monotonic()
    again = min(int(left / (1.2 * measured["seconds"])), REPEATS)
    if again >= 1:
        # the first run of a batch loaded kernels and asked for memory
        repeat = partial(update.measure, measured["batch"], cell.precision, again, ends)
        measured = attempt(repeat)[0] or measured
    return {**row, "halved_for": halvings + reasons, **measured, **shares(measured, cell, card)}


def shares(measured: dict[str, Any], cell: Cell, card: Card) -> dict[str, float]:
    """Operations a second, their share of the card's rate at 4096^3, and seconds an update."""
    rate = measured["flops"] / measured["seconds"]
    return {
        "seconds_per_update": measured["seconds"] / measured["updates"], "rate": rate,
        "share_of_square": rate / card.rates[cell.precision],
    }  # fmt: skip
