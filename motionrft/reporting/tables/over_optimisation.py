"""What a rising reward costs in scores that it knows nothing of."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from motionrft.reporting.columns import Column
from motionrft.reporting.records import Records
from motionrft.reporting.spending import FID, REWARD, TOP1, Runs, over_seeds, row, runs_of
from motionrft.reporting.table import Cell, Table, TableFile

Change = Callable[[pd.Series], float]


def gained(values: pd.Series) -> float:
    return float(values.iloc[-1] - values.iloc[0])


def lost_of_most(values: pd.Series) -> float:
    return float(values.iloc[-1] - values.max())


def above_least(values: pd.Series) -> float:
    return float(values.iloc[-1] - values.min())


# column, name in the record, what of its validations is shown
SHOWN: tuple[tuple[Column, str, Change], ...] = (
    (Column("reward", "reward, gained", 1, 3), REWARD, gained),
    (Column("top1", "R@1, end - best", 1, 3), TOP1, lost_of_most),
    (Column("fid", "FID, end - best", -1, 3), FID, above_least),
    (Column("diversity", "Diversity gap, grown", -1, 3), "val/Diversity gap", gained),
    (Column("skating", "skating ratio, grown", -1, 3), "val/skating_ratio", gained),
    (Column("jerk", "jerk, grown", -1, 1), "val/jerk", gained),
)


def over_optimisation(records: Records) -> Table:
    """Of every backbone and method: the reward's gain over the run, and how far the independent scores fell from their best."""
    columns = (*(column for column, *_ in SHOWN), Column("flagged", "runs flagged", -1, 0))
    keys = [column.key for column in columns]
    rows = []
    for backbone in records.run["backbones"]:
        methods = runs_of(records, backbone)
        for cell in records.trained_cells():
            if cell["backbone"] == backbone:
                method = cell["method"]
                cells = _cells(methods[method]) if method in methods else {}
                flags = [
                    bool(content.get("hacking", {}).get("flagged"))
                    for of, content in records.cost_files
                    if (of["backbone"], of["method"]) == (backbone, method)
                ]
                cells["flagged"] = Cell(sum(flags), None, len(flags)) if flags else Cell()
                rows.append(row(records, backbone, method, cells, keys))
    notes = [
        "On the validation split, by a judge that the reward was not trained with, from the first validation to the last: a reward "
        "that is over-optimised goes on rising while R@1 falls from its best, FID rises from its least, motions become alike or "
        "jerky. mean ± 95 % interval over seeds. Flagged: both trends significant (Kendall, one-sided, 5 %)."
    ]
    return Table(("backbone", "method"), columns, rows, notes, ranked=False)


def _cells(runs: Runs) -> dict[str, Cell]:
    cells = {}
    for column, name, change in SHOWN:
        values: dict[int, float | None] = {}
        for seed, record in runs.items():
            validated = record[name].dropna() if name in record else record.iloc[:0, 0]
            values[seed] = change(validated) if len(validated) > 1 else None
        cells[column.key] = over_seeds(values, absent="–")
    return cells


TABLE = TableFile(
    title="What a rising reward costs elsewhere",
    question="reward",
    order=63,
    needs=("finetuning", "cost_files"),
    build=over_optimisation,
)
