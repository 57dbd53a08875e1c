"""Tables about the reward itself, from what `evaluate-reward` wrote."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from motionrft.reporting import published
from motionrft.reporting.cells import EMPTY, command, paper_cell
from motionrft.reporting.compare import proportion_half
from motionrft.reporting.metrics import (
    AUTHENTICITY,
    PREFERENCE,
    RETRIEVAL,
    TOP,
    VALUES,
    Metric,
)
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


def _fill(records: Records) -> str:
    return command(records, f"{records.folder}/reward/scores.parquet")


def _cell(
    values: Mapping[str, tuple[float, int]], metric: Metric, paper: published.Published
) -> Cell:
    """A score in the column's unit; proportions with their binomial interval."""
    shown = paper_cell(paper, metric)
    if metric.key not in values:
        return Cell(**shown)
    value, count = values[metric.key]
    if not math.isfinite(value):
        return Cell(absent="undefined", **shown)
    value *= metric.scale
    # all are percentages
    half = proportion_half(value, count) if metric.key in PROPORTIONS and count else None
    return Cell(value, half, count, **shown)


def _row(
    records: Records,
    labels: tuple[str, ...],
    values: Mapping[str, tuple[float, int]],
    metrics: Sequence[Metric],
    *,
    group: str,
    reference: bool = False,
    paper: published.Published = EMPTY,
    comparable: bool = True,
) -> Row:
    cells = {metric.key: _cell(values, metric, paper) for metric in metrics}
    return Row(
        labels,
        cells,
        group,
        reference=reference,
        command=_fill(records),
        comparable=comparable,
        rival=not reference,
    )


def _scores(records: Records, **where: str) -> dict[str, tuple[float, int]]:
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
    found: dict[str, tuple[float, int]] = {}
    for way in ("t2m", "m2t"):
        scores = _scores(
            records, table="retrieval", model=model, representation=representation, setting=way
        )
        found |= {f"{way} {name}": value for name, value in scores.items()}
    if found:
        mean = sum(value for value, _ in found.values()) / len(found)
        found["average"] = (mean, min(count for _, count in found.values()))
    return found


def retrieval(records: Records) -> Table:
    """Text-motion retrieval of the reward in three representations (paper table I)."""
    rows = []
    for representation in (*REPRESENTATIONS, "mean"):
        paper = published.row("retrieval_h3d", group=representation, method="MotionReward")
        for model in ("semantic", "random", "perfect"):
            rows.append(
                _row(
                    records,
                    (representation, TITLES[model]),
                    retrieval_scores(records, model, representation),
                    RETRIEVAL,
                    group=representation,
                    reference=model != "semantic",
                    paper=paper if model == "semantic" else EMPTY,
                )
            )
    verdict, why = published.reward_comparable(records.run)
    notes = [
        "Groups of 32, percent. " + BINOMIAL,
        "A perfect reward: recorded motions that share a caption cannot be told apart by it, so none can be "
        "expected to retrieve more than this from these captions.",
    ]
    heads = ("representation", "model")
    return Table(
        "retrieval", "Text-motion retrieval of the reward", heads, RETRIEVAL, rows, notes,
        comparable=verdict, why=why,
    )  # fmt: skip


def self_refinement(records: Records) -> Table:
    """Retrieval before and after self-refinement preference learning (EasyTune table 4)."""
    rows = []
    for representation in (*REPRESENTATIONS, "mean"):
        before = retrieval_scores(records, "semantic", representation)
        for model in ("semantic", "spl"):
            own = retrieval_scores(records, model, representation)
            title = "ReAlign (baseline)" if model == "semantic" else "ReAlign + SPL"
            paper = published.row("retrieval_easytune", group="HumanML3D", method=title)
            entry = _row(
                records,
                (representation, "before" if model == "semantic" else "after"),
                own,
                RETRIEVAL,
                group=representation,
                reference=model == "semantic",
                paper=paper if representation == "kinematic" else EMPTY,
                comparable=False,
            )
            if model == "spl":
                for metric in RETRIEVAL:
                    cell = entry.cells[metric.key]
                    if cell.mean is not None and metric.key in before:
                        gain = metric.gain(before[metric.key][0], cell.mean)
                        entry.cells[metric.key] = Cell(
                            cell.mean, cell.half, cell.count, gain,
                            paper=cell.paper, paper_half=cell.paper_half,
                        )  # fmt: skip
            rows.append(entry)
    notes = [
        "Groups of 32, percent. " + BINOMIAL + " In brackets the gain over before.",
        "The paper refines ReAlign, not MotionReward: its two rows show the size of the effect only.",
    ]
    if not records.run["reward"].get("stages", {}).get("spl"):
        notes.append("This run has no stage `reward.stages.spl`: add it to fill the rows “after”.")
    return Table(
        "self_refinement", "Self-refinement preference learning", ("representation", "SPL"),
        RETRIEVAL, rows, notes, ranked=False, why="The paper refines another reward (ReAlign).",
    )  # fmt: skip


def preference(records: Records) -> Table:
    """Which of two motions is better (paper table II)."""
    labels = records.reward_labels.get("preference")
    rows = []
    for representation in (*REPRESENTATIONS, "all"):
        for model in ("MotionReward", "random"):
            found = published.row("preference", group=representation, method="MotionReward")
            rows.append(
                _row(
                    records,
                    (representation, "all", TITLES.get(model, model)),
                    _scores(
                        records, table="preference", model=model, representation=representation,
                        setting="all",
                    ),
                    PREFERENCE,
                    group=representation,
                    reference=model == "random",
                    paper=found if model == "MotionReward" else EMPTY,
                )
            )  # fmt: skip
    frame = records.reward
    kinds = frame[
        frame["table"].eq("preference")
        & frame["model"].eq("MotionReward")
        & frame["setting"].ne("all")
    ]["setting"]
    for kind in kinds.unique():
        values = _scores(
            records, table="preference", model="MotionReward", representation="all", setting=kind
        )
        rows.append(
            _row(
                records, ("all", kind, "MotionReward"), values, PREFERENCE, group="by kind of pair"
            )
        )
    return _judged(
        records, "preference", "Which of two motions is better",
        ("representation", "pairs", "model"), PREFERENCE, rows, labels,
    )  # fmt: skip


def authenticity(records: Records) -> Table:
    """Recorded or generated, on generators seen in training and on ones never seen (paper figure 8)."""
    labels = records.reward_labels.get("authenticity")
    rows = []
    for setting, title in (("test", "seen in training"), ("held_out", "held out")):
        for representation in (*REPRESENTATIONS, "all"):
            for model in ("MotionReward", "random", "length only"):
                paper = published.row("authenticity", group=representation, method="MotionReward")
                rows.append(
                    _row(
                        records,
                        (title, representation, TITLES.get(model, model)),
                        _scores(
                            records, table="authenticity", model=model,
                            representation=representation, setting=setting,
                        ),
                        AUTHENTICITY,
                        group=f"{title} {representation}",
                        reference=model != "MotionReward",
                        paper=paper if model == "MotionReward" and setting == "test" else EMPTY,
                    )
                )  # fmt: skip
    table = _judged(
        records, "authenticity", "Recorded or generated",
        ("generators", "representation", "model"), AUTHENTICITY, rows, labels,
    )  # fmt: skip
    table.notes.append(
        "“length only” reads nothing but a motion's length: what it scores, the masks give away. Generated motions are "
        "the positive class."
    )
    if not records.reward.empty and not records.reward["setting"].eq("held_out").any():
        table.rows = [row for row in table.rows if row.labels[0] != "held out"]
        table.notes.append(
            "No generator was held out: that needs a run with two backbones or more (reward-data --held-out)."
        )
    return table


def _judged(
    records: Records,
    name: str,
    title: str,
    heads: tuple[str, ...],
    metrics: tuple[Metric, ...],
    rows: list[Row],
    labels: str | None,
) -> Table:
    verdict, why = published.reward_comparable(records.run, labels)
    notes = [BINOMIAL]
    if labels:
        notes.append(f"Labels of the judged motions: {labels}.")
    return Table(
        name, title, heads, metrics, rows, notes, ranked=False, comparable=verdict, why=why
    )


def real_motions(records: Records) -> Table:
    """What recorded test motions score by dimension: the level that a fine-tuned model's scores are read against."""
    rows = []
    for representation in REPRESENTATIONS:
        for model in ("MotionReward", "random"):
            for setting in ("own caption", "another caption"):
                found = _scores(
                    records, table="reward", model=model, representation=representation,
                    setting=setting,
                )  # fmt: skip
                labels = (representation, TITLES.get(model, model), setting)
                reference = model == "random"
                rows.append(
                    _row(records, labels, found, VALUES, group=representation, reference=reference)
                )
    notes = [
        "Means over the recorded motions of the test split. Own caption: scored against their own caption and "
        "themselves as reference; another caption: against those of another clip, the floor of a reward. Preference "
        "and P(recorded) read the motion alone.",
    ]
    return Table(
        "real_motions", "What recorded motions score", ("representation", "model", "scored against"),
        VALUES, rows, notes, ranked=False,
    )  # fmt: skip


DIMENSIONS = (*(metric.key for metric in VALUES), "total")


def faithfulness(records: Records) -> Table:
    """What the reward sees of graded damage to recorded motions: rank correlations, a row a damage."""
    metrics = (
        *(Metric(f"{name}|grade", f"{name} / grade", -1, 2) for name in DIMENSIONS),
        Metric("total|evaluator_distance", "total / evaluator", -1, 2),
        Metric("total|jerk", "total / jerk", -1, 2),
        Metric("total|skating_mm", "total / skating", -1, 2),
    )
    frame = records.faithfulness
    groups: dict[tuple[str, str], dict[str, Cell]] = {}
    for (representation, kind), part in frame.groupby(["representation", "kind"], sort=False):
        found = {f"{row['dimension']}|{row['against']}": row for row in part.to_dict("records")}
        groups[representation, kind] = {
            metric.key: _correlation(found.get(metric.key)) for metric in metrics
        }
    rows = [
        Row(labels, cells, labels[0], command=_fill(records))
        for name in REPRESENTATIONS
        for labels, cells in groups.items()
        if labels[0] == name
    ] or [
        Row(
            (name, "every damage"),
            {metric.key: Cell() for metric in metrics},
            name,
            command=_fill(records),
        )
        for name in REPRESENTATIONS
    ]
    notes = [
        "Spearman's rank correlation between the change of a reward and the grade of the damage, or the change of an "
        "independent measure, over recorded test motions. −1: the reward falls with every step of damage; near 0: it is "
        "blind to it; above 0: it rewards it.",
    ]
    return Table(
        "faithfulness", "What the reward sees, and what it is blind to",
        ("representation", "damage"), metrics, rows, notes, ranked=False,
    )  # fmt: skip


def _correlation(row: dict[str, Any] | None) -> Cell:
    if row is None:
        return Cell(absent="not scored")
    if pd.isna(row["spearman"]):
        return Cell(absent="constant")
    return Cell(float(row["spearman"]), None, int(row["count"]))
