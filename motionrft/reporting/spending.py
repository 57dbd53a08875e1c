"""Methods compared by what they spend: the fine-tuning records of one backbone, by method and seed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

import pandas as pd

from motionrft.metrics.training_record import wide
from motionrft.reporting.cells import command
from motionrft.reporting.compare import student
from motionrft.reporting.records import CELL, Records
from motionrft.reporting.table import Cell, Row

REWARD, TOP1, FID = "val/reward", "val/R-Precision Top-1", "val/FID"
CLOCK = "Seconds of training are those of the processor on a CPU and of the wall on a GPU, without validations."
SHARES = (0.5, 0.9)  # of the way from the base model's reward to the best that any method reached

Runs = dict[int, pd.DataFrame]  # by seed, the record with one row an update


@lru_cache(maxsize=64)
def runs_of(records: Records, backbone: str) -> dict[str, Runs]:
    """The backbone's validated runs by method and seed, methods in the run's order."""
    by_method: dict[str, Runs] = {}
    for method, seed in methods_and_seeds(records, backbone):
        record = by_update(records).get((backbone, method, seed))
        if record is not None and REWARD in record:
            by_method.setdefault(method, {})[seed] = record
    return by_method


@lru_cache(maxsize=32)
def by_update(records: Records) -> dict[tuple[str, str, int], pd.DataFrame]:
    """By backbone, method and seed, every fine-tuning record with one row an update."""
    grouped = records.finetuning.groupby(CELL)
    return {(str(b), str(m), int(seed)): wide(frame) for (b, m, seed), frame in grouped}


def methods_and_seeds(records: Records, backbone: str) -> Iterator[tuple[str, int]]:
    for cell in records.trained_cells():
        if cell["backbone"] == backbone:
            yield from ((cell["method"], seed) for seed in cell["seeds"])


def row(
    records: Records, backbone: str, method: str, cells: Mapping[str, Cell], keys: Iterable[str]
) -> Row:
    """The row of a method, with the command that fills it."""
    targets = [
        f"{records.targets}/finetune/{backbone}/{method}/seed{seed}/record.parquet"
        for name, seed in methods_and_seeds(records, backbone)
        if name == method
    ]
    filled = {key: cells.get(key, Cell()) for key in keys}
    return Row((backbone, method), filled, backbone, command=command(records, *targets))


def over_seeds(
    values: Mapping[int, float | None], scale: float = 1.0, absent: str = "never"
) -> Cell:
    """Mean and Student's 95 % half-width over seeds; where some have no value, how many do."""
    known = {seed: value for seed, value in values.items() if value is not None and value == value}
    if len(known) < len(values):
        return Cell(absent=absent if not known else f"{len(known)} of {len(values)} seeds")
    mean, half, count = student(pd.Series(known))
    return Cell(mean * scale, None if half is None else half * scale, count)


def memory(records: Records, backbone: str, method: str, seeds: Sequence[int]) -> Cell:
    """MiB beyond plain sampling."""
    costs = records.costs
    chosen = (
        costs["backbone"].eq(backbone) & costs["method"].eq(method) & costs["name"].eq("extra_mb")
    )
    values = costs[chosen & costs["seed"].isin(seeds)].set_index("seed")["value"]
    return over_seeds(values.to_dict()) if len(values) else Cell()


def reward_levels(methods: dict[str, Runs]) -> dict[float, float]:
    """By share, the level of the reward; empty where no method gained."""
    curves = [record[REWARD].dropna() for runs in methods.values() for record in runs.values()]
    if not curves:
        return {}
    first = sum(float(curve.iloc[0]) for curve in curves) / len(curves)
    best = max(float(curve.max()) for curve in curves)
    return {share: first + share * (best - first) for share in SHARES} if best > first else {}
