"""What each method has reached after the same number of updates, and after the same seconds."""

from __future__ import annotations

import pandas as pd

from motionrft.metrics.training_record import at_equal
from motionrft.reporting.columns import Column
from motionrft.reporting.records import Records
from motionrft.reporting.seeds import unequal_seeds
from motionrft.reporting.spending import (
    CLOCK,
    FID,
    REWARD,
    TOP1,
    Runs,
    memory,
    over_seeds,
    row,
    runs_of,
)
from motionrft.reporting.table import Cell, Table, TableFile

VIEWS = (("updates", "update"), ("seconds", "seconds"))
SCORES = ((REWARD, "reward", 1), (TOP1, "R@1", 1), (FID, "FID", -1))


def equal_cost(records: Records) -> Table:
    """Validation scores of every method at equal updates and at equal seconds."""
    columns = [
        Column("step", "s / update", -1, 3),
        Column("extra", "extra MiB", -1, 1),
        *(
            Column(f"{view} {key}", f"{title}, equal {view}", way, 3)
            for view, _ in VIEWS
            for key, title, way in SCORES
        ),
    ]
    keys = [column.key for column in columns]
    rows, notes = [], []
    for backbone in records.run["backbones"]:
        methods = runs_of(records, backbone)
        amounts = {view: common(methods, column) for view, column in VIEWS} if methods else {}
        if methods:
            told = f"{amounts['updates']:.0f} updates, {amounts['seconds']:.1f} s"
            notes.append(f"{backbone}: {told}, as many as every run has.")
        for cell in records.trained_cells():
            if cell["backbone"] == backbone:
                runs = methods.get(cell["method"], {})
                cells = _cells(runs, amounts) if runs else {}
                cells["extra"] = memory(records, backbone, cell["method"], cell["seeds"])
                rows.append(row(records, backbone, cell["method"], cells, keys))
    notes.append(
        "The last validation within the amount: scores of the validation judge, mean ± 95 % interval over seeds. "
        f"{CLOCK} Extra: memory beyond plain sampling."
    )
    return Table(("backbone", "method"), tuple(columns), rows, notes + unequal_seeds(records.run))


def common(methods: dict[str, Runs], column: str) -> float:
    """The largest amount that every run has spent."""
    return min(float(record[column].max()) for runs in methods.values() for record in runs.values())


def _cells(runs: Runs, amounts: dict[str, float]) -> dict[str, Cell]:
    cells = {
        f"{view} {name}": over_seeds(
            {seed: _last(record, view, amounts[view], name) for seed, record in runs.items()}
        )
        for view, _ in VIEWS
        for name, *_ in SCORES
    }
    spent = {seed: record[["update", "seconds"]].max() for seed, record in runs.items()}
    cells["step"] = over_seeds(
        {seed: end["seconds"] / end["update"] for seed, end in spent.items()}
    )
    return cells


def _last(record: pd.DataFrame, view: str, amount: float, name: str) -> float | None:
    return at_equal(record, view, [amount], name)[0] if name in record else None


TABLE = TableFile(
    title="Methods at equal updates and at equal seconds",
    question="cost",
    order=62,
    needs=("finetuning", "costs"),
    build=equal_cost,
)
