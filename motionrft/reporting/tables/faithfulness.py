"""What the reward sees of graded damage."""

from __future__ import annotations

from typing import Any

import pandas as pd

from motionrft.reporting.columns import Column, reward_dimensions
from motionrft.reporting.records import Records
from motionrft.reporting.reward_scores import REPRESENTATIONS, fill_reward
from motionrft.reporting.table import Cell, Row, Table, TableFile


def faithfulness(records: Records) -> Table:
    """What the reward sees of graded damage to recorded motions: rank correlations, a row a damage."""
    columns = (
        *(
            Column(f"{name}|grade", f"{name} / grade", -1, 2)
            for name in reward_dimensions(records.faithfulness["dimension"])
        ),
        Column("total|evaluator_distance", "total / evaluator", -1, 2),
        Column("total|jerk", "total / jerk", -1, 2),
        Column("total|skating_mm", "total / skating", -1, 2),
    )
    frame = records.faithfulness
    groups: dict[tuple[str, str], dict[str, Cell]] = {}
    for (representation, kind), part in frame.groupby(["representation", "kind"], sort=False):
        by_key = {f"{row['dimension']}|{row['against']}": row for row in part.to_dict("records")}
        groups[representation, kind] = {
            column.key: _correlation(by_key.get(column.key)) for column in columns
        }
    rows = [
        Row(labels, cells, labels[0], command=fill_reward(records))
        for name in REPRESENTATIONS
        for labels, cells in groups.items()
        if labels[0] == name
    ] or [
        Row(
            (name, "every damage"),
            {column.key: Cell() for column in columns},
            name,
            command=fill_reward(records),
        )
        for name in REPRESENTATIONS
    ]
    notes = [
        "Spearman's rank correlation between the change of a reward and the grade of the damage, or the change of an "
        "independent measure, over recorded test motions. −1: the reward falls with every step of damage; near 0: it is "
        "blind to it; above 0: it rewards it.",
    ]
    return Table(
        ("representation", "damage"),
        columns,
        rows,
        notes,
        ranked=False,
    )


def _correlation(row: dict[str, Any] | None) -> Cell:
    if row is None:
        return Cell(absent="not scored")
    if pd.isna(row["spearman"]):
        return Cell(absent="constant")
    return Cell(float(row["spearman"]), None, int(row["count"]))


TABLE = TableFile(
    title="What the reward sees, and what it is blind to",
    question="reward",
    order=120,
    needs=("faithfulness",),
    build=faithfulness,
)
