"""One change at a time: the run's variants of a method, each against the method it is of."""

from __future__ import annotations

from motionrft.reporting.cells import command, score_cell, values_of
from motionrft.reporting.columns import Column
from motionrft.reporting.family import COLUMNS, effect
from motionrft.reporting.records import Records
from motionrft.reporting.spending import memory
from motionrft.reporting.table import Cell, Row, Table, TableFile

METRICS = ("R-Precision Top-1", "FID", "MM-Dist")
ABLATION = (
    *(
        column
        for metric in METRICS
        for column in (
            COLUMNS[metric],
            Column(f"Δ {metric}", f"Δ {COLUMNS[metric].title}", COLUMNS[metric].direction, 3),
        )
    ),
    Column("s_per_update", "s / update", -1, 3),
    Column("extra", "extra MiB", -1, 1),
)


def ablation(records: Records) -> Table:
    """Every variant of a method that the run makes, beside the method."""
    variants = records.run.get("variants", {}).get("methods", {})
    rows: list[Row] = []
    for of in dict.fromkeys(variant["of"] for variant in variants.values()):
        others = [name for name, variant in variants.items() if variant["of"] == of]
        for cell in records.run["matrix"]:
            backbone, method = cell["backbone"], cell["method"]
            if method == of or method in others:
                rows.append(_row(records, backbone, method, of))
    rows.sort(key=lambda row: (row.labels[0], not row.reference))
    notes = ["The run has no variants of a method (`variants`)."]
    if variants:
        notes = [
            "Each variant is its method with one change. Δ: variant minus method with its 95 % interval, paired over seeds and "
            "prompts; these are shown, not tested: no verdict is taken from them. The first row of a backbone is the method itself."
        ]
    return Table(("backbone", "setting"), ABLATION, rows, notes, ranked=False)


def _row(records: Records, backbone: str, method: str, of: str) -> Row:
    cells = {column.key: Cell() for column in ABLATION}
    for metric in METRICS:
        cells[metric] = score_cell(records, backbone, method, COLUMNS[metric], {})
        found = None if method == of else effect(records, backbone, method, metric, base=of)
        if found is not None:
            half = (found.high - found.low) / 2
            cells[f"Δ {metric}"] = Cell(found.difference, half, found.prompts, p=found.p)
        elif not values_of(records, backbone, method, metric).empty:
            cells[f"Δ {metric}"] = Cell(applies=False)
    costs = records.costs
    chosen = (
        costs["backbone"].eq(backbone)
        & costs["method"].eq(method)
        & costs["name"].eq("s_per_update")
    )
    spent = costs[chosen]["value"]
    cells["s_per_update"] = Cell(float(spent.mean()), None, len(spent)) if len(spent) else Cell()
    cells["extra"] = memory(records, backbone, method, sorted(set(costs[chosen]["seed"])))
    target = f"{records.targets}/evaluate/{backbone}/{method}/seed0/replications.parquet"
    labels = (backbone, records.label(method))
    return Row(labels, cells, backbone, method == of, command=command(records, target))


TABLE = TableFile(
    title="What the paper leaves open, one change at a time",
    order=66,
    needs=("evaluations", "prompts", "costs"),
    build=ablation,
)
