"""The paper's tables from whatever has finished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from motionrft.reporting import published
from motionrft.reporting.compare import against_base, holm, summary
from motionrft.reporting.metrics import COST, GENERATION, Metric
from motionrft.reporting.records import Records
from motionrft.reporting.table import Cell, Row, Table

STARRED = (
    "mean ± 95 % interval (Student's over seeds; over replications where there is one seed). In brackets the gain "
    "over the base row; * = better than base after Holm's correction over the table, paired by replication and seed."
)
EMPTY = Cell()


def _pick(records: Records, backbone: str, method: str, metric: Metric) -> pd.DataFrame:
    frame = records.evaluations
    return frame[
        (frame["backbone"] == backbone)
        & (frame["method"] == method)
        & (frame["metric"] == metric.key)
    ]


def score_cells(
    records: Records,
    backbone: str,
    method: str,
    metrics: Sequence[Metric],
    paper: dict[str, Any],
) -> dict[str, Cell]:
    """The generation metrics of one model, with gains and uncorrected p values against its base."""
    cells = {}
    for metric in metrics:
        own = _pick(records, backbone, method, metric)
        if own.empty:
            cells[metric.key] = Cell(paper=paper.get(metric.paper))
            continue
        mean, half, count = summary(own)
        gain = p = None
        if method not in ("base", "real"):
            base = _pick(records, backbone, "base", metric)
            real = _pick(records, "real", "real", metric)
            comparison = against_base(base, own, metric.direction)
            if not base.empty:
                gain = metric.gain(
                    float(base["value"].mean()),
                    mean,
                    float(real["value"].mean()) if len(real) else None,
                )
            if comparison is not None:
                p = comparison.p
        cells[metric.key] = Cell(mean, half, count, gain, None, p, paper.get(metric.paper))
    return cells


def correct(table: Table) -> Table:
    """Holm's correction over all comparisons of the table; sets `better` (or leaves None where none was made)."""
    places = [
        (row, key) for row in table.rows for key, cell in row.cells.items() if cell.p is not None
    ]
    adjusted = holm([row.cells[key].p or 0.0 for row, key in places])
    for (row, key), p in zip(places, adjusted, strict=True):
        cell = row.cells[key]
        better = p < 0.05 and (cell.gain or 0.0) > 0
        row.cells[key] = Cell(cell.mean, cell.half, cell.count, cell.gain, better, p, cell.paper)
    return table


def command(records: Records, target: str) -> str:
    """What a person types to fill a gap."""
    name = records.run["name"]
    return f"snakemake --cores all --configfile config/{name}.yaml {target}"


def model_row(
    records: Records,
    backbone: str,
    method: str,
    labels: tuple[str, ...],
    metrics: Sequence[Metric],
    *,
    group: str,
    paper: dict[str, Any] | None = None,
) -> Row:
    seeds = [0] if method in ("base", "real") else records.run["seeds"]
    targets = " ".join(
        f"{records.folder}/evaluate/{backbone}/{method}/seed{seed}/replications.parquet"
        for seed in seeds
    )
    scores = [metric for metric in metrics if metric in GENERATION]
    cells = score_cells(records, backbone, method, scores, paper or {})
    for metric in metrics:
        if metric in COST:
            cells[metric.key] = cost_cell(records, backbone, method, metric)
    return Row(labels, cells, group, method in ("base", "real"), command(records, targets))


def cost_cell(records: Records, backbone: str, method: str, metric: Metric) -> Cell:
    costs = records.costs
    own = costs[
        (costs["backbone"] == backbone)
        & (costs["method"] == method)
        & (costs["name"] == metric.key)
    ]
    if own.empty:
        return EMPTY
    return Cell(float(own["value"].mean()), None, len(own))


def real_row(
    records: Records, metrics: Sequence[Metric], labels: tuple[str, ...], group: str
) -> Row:
    return model_row(records, "real", "real", labels, metrics, group=group)


def finetuning(records: Records) -> Table:
    """Fine-tuning methods, each backbone that has more than one, with what they cost."""
    metrics = (*GENERATION, *COST)
    rows: list[Row] = []
    for backbone in _by_methods(records):
        rows.append(real_row(records, metrics, (backbone, "Real"), backbone))
        for method in ("base", *records.run["methods"]):
            rows.append(
                model_row(
                    records,
                    backbone,
                    method,
                    (backbone, method),
                    metrics,
                    group=backbone,
                    paper=published.row("finetune_h3d", method=published.METHODS.get(method, ""))
                    if backbone == "mld"
                    else {},
                )
            )
    table = Table(
        "finetuning", "Reward fine-tuning methods", ("backbone", "method"), metrics, rows, [STARRED]
    )
    return correct(table)


def _by_methods(records: Records) -> list[str]:
    """Backbones in the order of the run, those that the matrix crosses with several methods first."""
    count: dict[str, set[str]] = {}
    for entry in records.run["matrix"]:
        count.setdefault(entry["backbone"], set()).add(entry["method"])
    several = [name for name in records.run["backbones"] if len(count.get(name, ())) > 1]
    return several or list(records.run["backbones"])


def generalisation(records: Records) -> Table:
    """Every backbone: base, EasyTune, MotionRFT."""
    rows = []
    for backbone in records.run["backbones"]:
        for method in ("base", "easytune", "motionrft"):
            if method not in ("base", *records.run["methods"]):
                continue
            label = {"base": "Base", "easytune": "+ EasyTune", "motionrft": "+ MotionRFT"}[method]
            name = published.BACKBONES.get(backbone, "")
            rows.append(
                model_row(
                    records,
                    backbone,
                    method,
                    (backbone, label),
                    GENERATION,
                    group=backbone,
                    paper=published.row("generalize_h3d", group=name, method=label),
                )
            )
    return correct(
        Table(
            "generalisation",
            "Generalisation over backbones",
            ("backbone", "method"),
            GENERATION,
            rows,
            [STARRED],
        )
    )


def sota(records: Records) -> Table:
    """Backbones by representation, base against fine-tuned, beside recorded motions."""
    rows = []
    names = {"base": "(base)", "easytune": "+ EasyTune", "motionrft": "+ MotionRFT"}
    for representation in ("kinematic", "joint", "rotation"):
        backbones = [
            name
            for name, b in records.run["backbones"].items()
            if b["representation"] == representation
        ]
        if not backbones:
            continue
        rows.append(real_row(records, GENERATION, (representation, "Real"), representation))
        for backbone in backbones:
            for method, label in names.items():
                if method in ("base", *records.run["methods"]):
                    title = f"{published.BACKBONES.get(backbone, backbone)} {label}"
                    rows.append(
                        model_row(
                            records,
                            backbone,
                            method,
                            (representation, f"{backbone} {label}"),
                            GENERATION,
                            group=representation,
                            paper=published.row("sota_h3d", group=representation, method=title),
                        )
                    )
    notes = [
        STARRED,
        "All representations are judged by one kinematic evaluator, after conversion; the paper uses one evaluator each.",
    ]
    return correct(
        Table(
            "sota",
            "Base and fine-tuned, by representation",
            ("representation", "model"),
            GENERATION,
            rows,
            notes,
        )
    )


TABLES: dict[str, Callable[[Records], Table]] = {
    "finetuning": finetuning,
    "generalisation": generalisation,
    "sota": sota,
}
