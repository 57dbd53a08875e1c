"""Rows of the reward's own scores, as `evaluate-reward` wrote them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from motionrft.reporting import published
from motionrft.reporting.cells import EMPTY, command, paper_cell
from motionrft.reporting.columns import TOP, Column
from motionrft.reporting.compare import proportion_half
from motionrft.reporting.records import Records
from motionrft.reporting.table import Cell, Row, Table

REPRESENTATIONS = ("kinematic", "joint", "rotation")
TITLES = {
    "semantic": "MotionReward",
    "spl": "MotionReward + SPL",
    "random": "untrained reward",
    "perfect": "a perfect reward",
}
PROPORTIONS = {"accuracy"} | {f"{way} R@{k}" for way in ("t2m", "m2t") for k in TOP}
BINOMIAL = "± : 95 % interval (Agresti–Coull) of a proportion over the clips or pairs scored."


def fill_reward(records: Records) -> str:
    """The command that scores the reward."""
    return command(records, f"{records.targets}/reward/scores.parquet")


def reward_cell(
    values: Mapping[str, tuple[float, int]], column: Column, paper: published.Published
) -> Cell:
    """A score in the column's unit; proportions with their binomial interval."""
    printed = paper_cell(paper, column)
    if column.key not in values:
        return Cell(**printed)
    value, count = values[column.key]
    if not math.isfinite(value):
        return Cell(absent="undefined", **printed)
    value *= column.scale
    # all are percentages
    half = proportion_half(value, count) if column.key in PROPORTIONS and count else None
    return Cell(value, half, count, **printed)


def reward_row(
    records: Records,
    labels: tuple[str, ...],
    values: Mapping[str, tuple[float, int]],
    columns: Sequence[Column],
    *,
    group: str,
    reference: bool = False,
    paper: published.Published = EMPTY,
    comparable: bool = True,
) -> Row:
    """A row of scores of the reward; reference rows take no part in the ranking."""
    cells = {column.key: reward_cell(values, column, paper) for column in columns}
    return Row(
        labels,
        cells,
        group,
        reference=reference,
        command=fill_reward(records),
        comparable=comparable,
        rival=not reference,
    )


def scores_of(records: Records, **where: str) -> dict[str, tuple[float, int]]:
    """metric -> (value, count) of one group of rows."""
    frame = records.reward
    for column, wanted in where.items():
        frame = frame[frame[column].eq(wanted)]
    return {
        row.metric: (float(row.value), int(row.count_))
        for row in frame.rename(columns={"count": "count_"}).itertuples()
    }


def retrieval_scores(
    records: Records, model: str, representation: str
) -> dict[str, tuple[float, int]]:
    """R@k both ways and the mean of all ten."""
    scores_both_ways: dict[str, tuple[float, int]] = {}
    for way in ("t2m", "m2t"):
        scores = scores_of(
            records, table="retrieval", model=model, representation=representation, setting=way
        )
        scores_both_ways |= {f"{way} {name}": value for name, value in scores.items()}
    if scores_both_ways:
        mean = sum(value for value, _ in scores_both_ways.values()) / len(scores_both_ways)
        scores_both_ways["average"] = (mean, min(count for _, count in scores_both_ways.values()))
    return scores_both_ways


def labelled_table(
    records: Records,
    heads: tuple[str, ...],
    columns: tuple[Column, ...],
    rows: list[Row],
    labels: str | None,
) -> Table:
    """A table over labelled motions, with what their labels allow to compare."""
    verdict, why = published.reward_comparable(records.run, labels)
    notes = [BINOMIAL]
    if labels:
        notes.append(f"Labels of the judged motions: {labels}.")
    return Table(heads, columns, rows, notes, ranked=False, comparable=verdict, why=why)
