"""What training costs, counted where it happens, and the three equal-footing views of one record."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from motionrft.backbones.base import Backbone, Condition
from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.table import StepTable
from motionrft.training.loop import autocast

# the cumulative names that methods can be compared at equal amounts of
VIEWS = {"updates": "update", "denoiser_calls": "denoiser_calls", "wall_s": "wall_s"}


@dataclass
class Meter:
    """Cumulative counts. One forward or backward is one call of the guided network on one batch;
    one scoring is one decode + reward (forward and backward) of one batch."""

    forwards: int = 0
    backwards: int = 0
    scorings: int = 0
    elapsed: float = 0.0
    since: float | None = None

    @property
    def denoiser_calls(self) -> int:
        return self.forwards + self.backwards

    @property
    def wall_s(self) -> float:
        """Seconds of training; validations and checkpoints are left out (`start`, `stop`)."""
        return self.elapsed + (0.0 if self.since is None else time.monotonic() - self.since)

    def start(self) -> None:
        self.since = time.monotonic()

    def stop(self) -> None:
        self.elapsed, self.since = self.wall_s, None

    def counts(self) -> dict[str, float]:
        return {
            "forwards": self.forwards,
            "backwards": self.backwards,
            "scorings": self.scorings,
            "denoiser_calls": self.denoiser_calls,
            "wall_s": self.wall_s,
        }


class MeteredSampler(Sampler):
    """A sampler that counts the network's forwards and backwards, and runs it under autocast if asked."""

    def __init__(
        self,
        backbone: Backbone,
        table: StepTable,
        guidance: float,
        meter: Meter,
        precision: str = "fp32",
    ):
        super().__init__(backbone, table, guidance)
        self.meter, self.precision = meter, precision

    def output(self, i: int, x: Tensor, condition: Condition) -> Tensor:
        self.meter.forwards += 1
        with autocast(self.precision, x.device):
            output = super().output(i, x, condition)
        output = output.to(x.dtype)
        if output.requires_grad:
            output.register_hook(self._backward)
        return output

    def _backward(self, gradient: Tensor) -> None:
        self.meter.backwards += 1


@dataclass(frozen=True)
class Flops:
    """Floating-point operations of one guided forward, one backward, and one scoring, of one batch."""

    forward: int
    backward: int
    scoring: int

    def of(self, counts: dict[str, float]) -> float:
        return (
            counts["forwards"] * self.forward
            + counts["backwards"] * self.backward
            + counts["scorings"] * self.scoring
        )


def count_flops(output: Callable[[], Tensor], scoring: Callable[[], Any], meter: Meter) -> Flops:
    """Counted by torch on one batch; `meter` is left as it was."""
    from torch.utils.flop_counter import FlopCounterMode

    kept = Meter(**asdict(meter))
    with FlopCounterMode(display=False) as forward, torch.enable_grad():
        result = output()
    with FlopCounterMode(display=False) as backward:
        result.sum().backward()
    with FlopCounterMode(display=False) as score:
        scoring()
    for name, value in asdict(kept).items():
        setattr(meter, name, value)
    return Flops(forward.get_total_flops(), backward.get_total_flops(), score.get_total_flops())


def wide(record: pd.DataFrame) -> pd.DataFrame:
    """One row an update, one column a name."""
    return record.pivot_table(
        index="update", columns="name", values="value", aggfunc="last"
    ).reset_index()


def at_equal(
    record: pd.DataFrame, by: str, amounts: Sequence[float], name: str
) -> list[float | None]:
    """Values of `name` when the run had spent at most each amount of `by` (updates, denoiser_calls, wall_s);
    None before its first value."""
    table = wide(record)
    table = table[table[name].notna()]
    spent = table[VIEWS[by]]
    values = []
    for amount in amounts:
        within = table[spent <= amount]
        values.append(float(within[name].iloc[-1]) if len(within) else None)
    return values


def until_level(
    record: pd.DataFrame, name: str, levels: Sequence[float]
) -> list[dict[str, float | None]]:
    """Updates, wall time, denoiser calls and FLOPs spent when `name` first reached each level; None if never."""
    table = wide(record)
    table = table[table[name].notna()] if name in table else table.iloc[:0]
    rows = []
    for level in levels:
        reached = table[table[name] >= level] if name in table else table
        first = reached.iloc[0] if len(reached) else None
        spent = {
            key: None if first is None or key not in table else float(first[key])
            for key in ("update", "wall_s", "denoiser_calls", "flops")
        }
        rows.append({"level": float(level), **spent})
    return rows


def summary(record: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Medians an update and a trajectory of what was spent; peaks where memory was probed."""
    table = wide(record)
    table = table[table["update"] > 0]
    spent = ["wall_s", "forwards", "backwards", "scorings", "flops"]
    steps = table[spent].diff().fillna(table[spent])
    per_update = {f"{name}_mean": float(steps[name].mean()) for name in spent}
    per_update["wall_s_median"] = float(steps["wall_s"].median())
    ends = table.groupby("trajectory")[spent].last()
    rounds = ends.diff().fillna(ends)
    per_trajectory = {f"{name}_mean": float(rounds[name].mean()) for name in spent}
    per_trajectory["wall_s_median"] = float(rounds["wall_s"].median())
    memory = table["peak_bytes"].dropna() if "peak_bytes" in table else pd.Series(dtype=float)
    peaks = (
        {"peak_bytes": float(memory.max()), "peak_bytes_mean": float(memory.mean())}
        if len(memory)
        else {}
    )
    return {"per_update": per_update, "per_trajectory": per_trajectory, "memory": peaks}
