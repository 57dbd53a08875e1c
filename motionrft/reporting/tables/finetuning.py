"""Fine-tuning methods on one backbone, with what they cost."""

from __future__ import annotations

from motionrft.reporting import published
from motionrft.reporting.cells import STARRED, model_row, real_row
from motionrft.reporting.columns import COST, GENERATION
from motionrft.reporting.family import kept_base
from motionrft.reporting.generation_tables import beside_paper
from motionrft.reporting.records import Records
from motionrft.reporting.seeds import unequal_seeds
from motionrft.reporting.spent import methods_of
from motionrft.reporting.table import Row, Table, TableFile


def finetuning(records: Records) -> Table:
    """Fine-tuning methods, each backbone that has more than one, with what they cost (paper table V)."""
    columns = (*GENERATION, *COST)
    rows: list[Row] = []
    for backbone in _by_methods(records):
        on_paper = backbone == "mld"

        def paper(title: str, on_paper: bool = on_paper) -> published.Published:
            printed = published.row("finetune_h3d", method=title) if on_paper and title else {}
            return published.intervals(printed)

        rows.append(
            real_row(records, columns, (backbone, "Real"), group=backbone, paper=paper("Real"))
        )
        for method in ("base", *methods_of(records, backbone)):
            title = published.METHODS.get(method, "")
            rows.append(
                model_row(
                    records,
                    backbone,
                    method,
                    (backbone, method),
                    columns,
                    group=backbone,
                    paper=paper(title),
                )
            )
    kinds = {content.get("memory", {}).get("kind") for _, content in records.cost_files}
    notes = [STARRED, *unequal_seeds(records.run)]
    if "saved_tensors" in kinds:
        notes.append(
            "Memory: bytes that the autograd graph holds (exact, by saved-tensor hooks); weights and the allocator's "
            "rounding are not in it, so that it is not the paper's CUDA peak."
        )
    table = Table(
        ("backbone", "method"), columns, rows, notes + _unchanged(records, rows) + _forms(records)
    )
    return beside_paper(records, table)


def _unchanged(records: Records, rows: list[Row]) -> list[str]:
    """A note for each backbone on which methods end with the weights that they began with."""
    same: dict[str, list[str]] = {}
    for row in rows:
        backbone, method = row.labels
        learns = method != "base" and records.trains(method)
        if learns and kept_base(records, backbone, method):
            same.setdefault(backbone, []).append(method)
    return [
        f"{backbone}: no weights of {', '.join(methods)} were better on the validation split than the base model's, "
        "which these rows are (`finetune.select`)."
        for backbone, methods in same.items()
    ]


def _forms(records: Records) -> list[str]:
    """A note for each cell whose memory is not that of a plain graph of the whole batch."""
    notes = set()
    for cell, content in records.cost_files:
        memory = content.get("memory", {})
        form, slices = memory.get("form", "plain"), memory.get("slices", 1)
        if form == "plain" and slices == 1:
            continue
        note = f"Memory of {cell['backbone']}, {cell['method']}: {form} form, {slices} slices of the batch"
        plan = memory.get("plan")
        if plan:
            note += f" (picked; plain would have needed {plan['plain_bytes'] / 2**30:.1f} GiB)"
        notes.add(f"{note}.")
    return sorted(notes)


def _by_methods(records: Records) -> list[str]:
    """Backbones that the matrix crosses with several methods, or all if none has several."""
    count: dict[str, set[str]] = {}
    for entry in records.run["matrix"]:
        count.setdefault(entry["backbone"], set()).add(entry["method"])
    several = [name for name in records.run["backbones"] if len(count.get(name, ())) > 1]
    return several or list(records.run["backbones"])


TABLE = TableFile(
    title="Reward fine-tuning methods",
    source="paper table V",
    order=10,
    needs=("evaluations", "prompts", "evaluator", "costs", "cost_files"),
    build=finetuning,
)
