"""Cells and rows from records."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pandas as pd

from motionrft.reporting.columns import GENERATION, Column
from motionrft.reporting.compare import summary
from motionrft.reporting.family import effect, verdicts
from motionrft.reporting.published import Published
from motionrft.reporting.records import Records
from motionrft.reporting.table import Cell, Row

STARRED = (
    "mean ± 95 % interval (Student's over seeds; over replications where there is one seed). In brackets the gain over the "
    "base row and its 95 % interval, paired over seeds and prompts, both taken as drawn at random (with one seed, over prompts "
    "alone); * = better, † = worse than base after Holm's correction over the comparisons that the run declares (`compare`); "
    "the others have no verdict."
)
EMPTY: Published = {}


def command(records: Records, *targets: str) -> str:
    """What a person types to fill a gap: the run's own command, for these files alone.

    A run that Snakemake has not planned has none yet: it is its file's.
    """
    usual = f"snakemake --cores all --configfile config/{records.run['name']}.yaml"
    return " ".join([records.run.get("command", usual), "--", *map(shlex.quote, targets)])


def values_of(records: Records, backbone: str, method: str, metric: str) -> pd.DataFrame:
    """seed, replication, value of one metric of one model."""
    found = _by_score(records).get((backbone, method, metric))
    return records.evaluations.iloc[:0] if found is None else found


def base_values(records: Records, backbone: str, method: str, metric: str) -> pd.DataFrame:
    """seed, replication, value of the base model that a method is set against: where each seed has its own, of the
    method's seeds alone."""
    base = values_of(records, backbone, "base", metric)
    if not records.own_bases(backbone):
        return base
    return base[base["seed"].isin(values_of(records, backbone, method, metric)["seed"])]


@lru_cache(maxsize=32)
def _by_score(records: Records) -> dict[tuple[str, str, str], pd.DataFrame]:
    grouped = records.evaluations.groupby(["backbone", "method", "metric"], sort=False)
    return {(str(b), str(m), str(metric)): frame for (b, m, metric), frame in grouped}


def paper_cell(paper: Published, column: Column) -> dict[str, Any]:
    """The published value of a column, and its interval, in the column's unit."""
    value, half = paper.get(column.paper), paper.get(f"{column.paper}_ci")
    return {
        "paper": None if value is None else value * column.paper_scale,
        "paper_half": None if half is None else half * column.paper_scale,
    }


def score_cell(
    records: Records, backbone: str, method: str, column: Column, paper: Published
) -> Cell:
    """One generation metric of one model, with its gain against its base, its interval and verdict."""
    beside_paper = paper_cell(paper, column)
    values = values_of(records, backbone, method, column.key)
    if values.empty:
        return Cell(**beside_paper)
    mean, half, count = summary(values)
    if method == "base" or (base := base_values(records, backbone, method, column.key)).empty:
        return Cell(mean, half, count, **beside_paper)
    real = values_of(records, "real", "base", column.key)
    before = float(base["value"].mean())
    gain = column.gain(before, mean, float(real["value"].mean()) if len(real) else None)
    found = effect(records, backbone, method, column.key)
    if found is None:
        return Cell(mean, half, count, gain, **beside_paper)
    ends = [column.gain(before, before + end) for end in (found.low, found.high)]
    low, high = sorted(end for end in ends if end is not None) or (None, None)
    judged = verdicts(records).get((backbone, method, column.key))
    p, word = (found.p, "") if judged is None else (judged.p, judged.word)
    return Cell(mean, half, count, gain, low, high, p, word, **beside_paper)


def cost_cell(
    records: Records, backbone: str, method: str, column: Column, paper: Published
) -> Cell:
    costs = records.costs
    values = costs[
        costs["backbone"].eq(backbone) & costs["method"].eq(method) & costs["name"].eq(column.key)
    ]["value"]
    beside_paper = paper_cell(paper, column)
    if method == "base" or not records.trains(method):
        return Cell(applies=False, **beside_paper)
    return (
        Cell(**beside_paper)
        if values.empty
        else Cell(values.mean() * column.scale, None, len(values), **beside_paper)
    )


def model_row(
    records: Records,
    backbone: str,
    method: str,
    labels: tuple[str, ...],
    columns: Sequence[Column],
    *,
    group: str,
    paper: Published = EMPTY,
    comparable: bool = True,
) -> Row:
    """Scores, and costs where the columns ask for them, of one backbone and method."""
    matrix = [entry for entry in records.run["matrix"] if entry["backbone"] == backbone]
    seeds = next((entry["seeds"] for entry in matrix if entry["method"] == method), [0])
    if method == "base" and backbone in records.run["backbones"] and records.own_bases(backbone):
        seeds = sorted({seed for entry in matrix for seed in entry["seeds"]}) or [0]
    targets = [
        f"{records.targets}/evaluate/{backbone}/{method}/seed{seed}/replications.parquet"
        for seed in seeds
    ]
    cells = {
        column.key: (score_cell if column in GENERATION else cost_cell)(
            records, backbone, method, column, paper
        )
        for column in columns
    }
    return Row(
        labels,
        cells,
        group,
        reference=method == "base",
        command=command(records, *targets),
        comparable=comparable,
        rival=backbone != "real",
    )


def real_row(
    records: Records,
    columns: Sequence[Column],
    labels: tuple[str, ...],
    *,
    group: str,
    paper: Published = EMPTY,
    comparable: bool = True,
) -> Row:
    return model_row(
        records, "real", "base", labels, columns, group=group, paper=paper, comparable=comparable
    )
