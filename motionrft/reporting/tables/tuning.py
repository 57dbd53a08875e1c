"""Learning rates tried on the validation split."""

from __future__ import annotations

from motionrft.reporting.cells import command
from motionrft.reporting.columns import Column, Fact
from motionrft.reporting.records import Records
from motionrft.reporting.table import Cell, Row, Table, TableFile

TUNING = (
    Column("score", "score", 1, 3),
    Column("val/reward", "reward", 1, 3),
    Column("val/R-Precision Top-1", "R@1", 1, 3),
    Column("val/FID", "FID", -1, 3),
    Fact("update", "best update", 0, 0),
    Column("seconds", "s", -1, 1),
)


def tuning(records: Records) -> Table:
    """Every trial of every backbone and method, the chosen rate marked, and what the search cost."""
    frame = records.tuning
    rows: list[Row] = []
    for entry in records.trained_cells() if "tune" in records.run else ():
        backbone, method = entry["backbone"], entry["method"]
        trials = frame[frame["backbone"].eq(backbone) & frame["method"].eq(method)]
        if trials.empty:
            target = f"{records.targets}/tune/{backbone}/{method}.json"
            cells = {column.key: Cell() for column in TUNING}
            rows.append(
                Row((backbone, method, "–"), cells, backbone, command=command(records, target))
            )
        for _, trial in trials.sort_values("rate").iterrows():
            cells = {column.key: _cell(trial.get(column.key)) for column in TUNING}
            label = f"{trial['rate']:g}" + (" (chosen)" if trial["chosen"] else "")
            rows.append(Row((backbone, method, label), cells, f"{backbone} {method}"))
    notes = ["No rate is tuned: the run has no section `tune`."]
    if "tune" in records.run:
        spent = (
            f" {len(frame)} trials took {frame['seconds'].sum():.0f} s of training in all."
            if len(frame)
            else ""
        )
        notes = [
            "One run a rate, with a seed that no result uses. Score: `finetune.select_by` at the best validation; the "
            f"rate with the best score is every seed's.{spent}"
        ]
    return Table(("backbone", "method", "rate"), TUNING, rows, notes, ranked=False)


def _cell(value: float | None) -> Cell:
    return Cell(absent="–") if value is None or value != value else Cell(float(value))


TABLE = TableFile(
    title="Rates tuned on the validation split",
    question="run",
    order=67,
    needs=("tuning",),
    build=tuning,
)
