"""What it costs to reach a reward."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from motionrft.metrics.training_record import until_level
from motionrft.reporting import published
from motionrft.reporting.cells import command
from motionrft.reporting.columns import Column
from motionrft.reporting.records import Records
from motionrft.reporting.spending import by_update
from motionrft.reporting.table import Cell, Row, Table, TableFile

PAPER_LEVELS = (0.70, 0.75, 0.80, 0.85)
SHARES = (0.25, 0.50, 0.75, 1.00)
PAPER_NAMES = {"draft-50": "DRaFT", "alignprop": "AlignProp", "drtune": "DRTune", "refl-10": "ReFL", "easytune": "EasyTune"}  # fmt: skip


def curve_name(frame: pd.DataFrame) -> str:
    """The reward that levels are read from: on the validation split, or of the batches where there is none."""
    return "val/reward" if frame["name"].eq("val/reward").any() else "reward"


def levels_of(frame: pd.DataFrame, size: str) -> list[float]:
    """The paper's levels in a run of its size; else the quarters of the way from the first reward to the
    best that any method reached on this backbone."""
    if size == "paper":
        return list(PAPER_LEVELS)
    rewards = frame[frame["name"].eq(curve_name(frame))].sort_values("update")
    if rewards.empty:
        return []
    first = float(rewards.groupby(["method", "seed"])["value"].first().mean())
    best = float(rewards["value"].max())
    return [first + share * (best - first) for share in SHARES] if best > first else []


def compute_overhead(records: Records) -> Table:
    """Seconds and GFLOPs until the reward reached four levels; all seeds must reach a level."""
    paper_size = records.run["size"] == "paper"
    names = [f"{level:.2f}" if paper_size else f"{share:.0%}" for level, share in zip(PAPER_LEVELS, SHARES, strict=True)]  # fmt: skip
    columns = (
        Column("update", "s / update", -1, 3, "update"),
        *(Column(f"seconds {i}", f"s to {name}", -1, 1, f"s{i}") for i, name in enumerate(names)),
        *(
            Column(f"flops {i}", f"GFLOPs to {name}", -1, 1, f"flops{i}", 1e-9, 1e3)
            for i, name in enumerate(names)
        ),
    )
    rows: list[Row] = []
    notes: list[str] = []
    for backbone in records.run["backbones"]:
        frame = records.finetuning[records.finetuning["backbone"].eq(backbone)]
        levels = levels_of(frame, records.run["size"])
        if levels:
            printed = ", ".join(f"{level:.3f}" for level in levels)
            notes.append(f"{backbone}: levels of {curve_name(frame)} {printed}.")
        for entry in records.trained_cells():
            method = entry["method"]
            if entry["backbone"] != backbone:
                continue
            spent = [
                until_level(record, curve_name(frame), levels)
                for (name, other, _), record in by_update(records).items()
                if (name, other) == (backbone, method)
            ]
            cells = _spent(spent, columns[1:], _printed(method) if backbone == "mld" else {})
            step = records.costs[
                records.costs["backbone"].eq(backbone)
                & records.costs["method"].eq(method)
                & records.costs["name"].eq("s_per_update")
            ]["value"]
            cells["update"] = Cell(float(step.mean()), None, len(step)) if len(step) else Cell()
            targets = [
                f"{records.targets}/finetune/{backbone}/{method}/seed{seed}/record.parquet"
                for seed in entry["seeds"]
            ]
            rows.append(
                Row((backbone, method), cells, backbone, command=command(records, *targets))
            )
    notes.append(
        "Seconds are those of the processor on a CPU, of the wall on a GPU, and depend on the machine; FLOPs are counted by torch. Levels in percent are of the way from the first "
        "reward to the best any method reached; “not reached” where one seed did not."
    )
    return Table(
        ("backbone", "method"),
        columns,
        rows,
        notes,
        why="The paper's seconds are of one RTX A6000.",
    )


def _spent(
    spent: list[list[dict[str, Any]]], columns: tuple[Column, ...], paper: dict[str, float]
) -> dict[str, Cell]:
    cells = {}
    for column in columns:
        key, number = column.key.split()
        printed = paper.get(column.paper)
        values = [seed[int(number)][key] for seed in spent if int(number) < len(seed)]
        if not values:
            cells[column.key] = Cell(paper=printed)
        elif any(value is None for value in values):
            cells[column.key] = Cell(absent="not reached", paper=printed)
        else:
            mean = float(np.mean(values)) * column.scale
            cells[column.key] = Cell(mean, None, len(values), paper=printed)
    return cells


def _printed(method: str) -> dict[str, float]:
    """The published seconds and GFLOPs of a method by column."""
    name = PAPER_NAMES.get(method)
    printed: dict[str, float] = {}
    for number, level in enumerate(PAPER_LEVELS):
        for title, column, scale in (("time (s)", "s", 1.0), ("TFLOPs", "flops", 1e3)):
            row = published.row("compute_overhead", group=f"reward {level:.2f}", method=title)
            if name and row.get(name) is not None:
                printed[f"{column}{number}"] = row[name] * scale
    return printed


TABLE = TableFile(
    title="Cost until a reward is reached",
    question="cost",
    source="EasyTune table S9",
    order=60,
    needs=("finetuning", "costs"),
    build=compute_overhead,
)
