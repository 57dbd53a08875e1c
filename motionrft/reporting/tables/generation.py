"""The paper's tables of generated motions: methods, backbones, representations, KIT-ML."""

from __future__ import annotations

from motionrft.reporting import published
from motionrft.reporting.cells import STARRED, correct, model_row, real_row
from motionrft.reporting.metrics import COST, GENERATION
from motionrft.reporting.records import Records
from motionrft.reporting.table import Cell, Row, Table


def _judge(
    records: Records, table: Table, corpus: str = "humanml3d", representation: str = "kinematic"
) -> Table:
    table.comparable, table.why = published.comparable(
        records.run, records.evaluator, corpus, representation
    )
    return correct(table)


def _labels(records: Records, base: str) -> dict[str, str]:
    """Base, called `base`, and the methods set against it, each with its label."""
    methods = {method: f"+ {records.label(method)}" for method in records.against_base()}
    return {"base": base, **methods}


def finetuning(records: Records) -> Table:
    """Fine-tuning methods, each backbone that has more than one, with what they cost (paper table V)."""
    metrics = (*GENERATION, *COST)
    rows: list[Row] = []
    for backbone in _by_methods(records):
        on_paper = backbone == "mld"

        def paper(title: str, on_paper: bool = on_paper) -> published.Published:
            found = published.row("finetune_h3d", method=title) if on_paper and title else {}
            return published.intervals(found)

        rows.append(
            real_row(records, metrics, (backbone, "Real"), group=backbone, paper=paper("Real"))
        )
        for method in ("base", *records.run["methods"]):
            title = published.METHODS.get(method, "")
            rows.append(
                model_row(
                    records, backbone, method, (backbone, method), metrics,
                    group=backbone, paper=paper(title),
                )
            )  # fmt: skip
    kinds = {content.get("memory", {}).get("kind") for _, content in records.cost_files}
    notes = [STARRED]
    if "saved_tensors" in kinds:
        notes.append(
            "Memory: bytes that the autograd graph holds (exact, by saved-tensor hooks); weights and the allocator's "
            "rounding are not in it, so that it is not the paper's CUDA peak."
        )
    table = Table(
        "finetuning", "Reward fine-tuning methods", ("backbone", "method"), metrics, rows, notes
    )
    return _judge(records, table)


def _by_methods(records: Records) -> list[str]:
    """Backbones that the matrix crosses with several methods, or all if none has several."""
    count: dict[str, set[str]] = {}
    for entry in records.run["matrix"]:
        count.setdefault(entry["backbone"], set()).add(entry["method"])
    several = [name for name in records.run["backbones"] if len(count.get(name, ())) > 1]
    return several or list(records.run["backbones"])


def generalisation(records: Records) -> Table:
    """Every backbone: base and the run's methods, baselines left out (paper table VI)."""
    rows = [
        model_row(
            records, backbone, method, (backbone, label), GENERATION, group=backbone,
            paper=published.intervals(
                published.row(
                    "generalize_h3d",
                    group=published.BACKBONES.get(backbone, ""),
                    method=label,
                )
            ),
        )
        for backbone in records.run["backbones"]
        for method, label in _labels(records, "Base").items()
    ]  # fmt: skip
    return _judge(
        records,
        Table(
            "generalisation", "Generalisation over backbones", ("backbone", "method"), GENERATION,
            rows, [STARRED],
        ),
    )  # fmt: skip


def sota(records: Records) -> Table:
    """Backbones by representation, base against fine-tuned, beside recorded motions (paper table III)."""
    rows: list[Row] = []
    judged = published.judged(records.run)
    for representation in ("kinematic", "joint", "rotation"):
        backbones = [
            name
            for name, entry in records.run["backbones"].items()
            if entry["representation"] == representation
        ]
        if not backbones:
            continue
        judged_alike = representation == judged
        real = published.row("sota_h3d", group=representation, method="Real")
        rows.append(
            real_row(
                records, GENERATION, (representation, "Real"), group=representation,
                paper=real, comparable=judged_alike,
            )
        )  # fmt: skip
        for backbone in backbones:
            for method, label in _labels(records, "(base)").items():
                found = published.row(
                    "sota_h3d",
                    group=representation,
                    method=f"{published.BACKBONES.get(backbone, backbone)} {label}",
                )
                rows.append(
                    model_row(
                        records, backbone, method, (representation, f"{backbone} {label}"), GENERATION,
                        group=representation, paper=published.intervals(found),
                        comparable=judged_alike,
                    )
                )  # fmt: skip
    notes = [
        STARRED,
        f"All representations are judged by one evaluator of {judged} motions, after conversion; the paper uses one "
        f"each, so that only its {judged} rows are comparable with these.",
    ]
    return _judge(
        records,
        Table(
            "sota", "Base and fine-tuned, by representation", ("representation", "model"), GENERATION,
            rows, notes,
        ),
        representation=judged,
    )  # fmt: skip


KIT = {"mdm": "MDM", "motiondiffuse": "MotionDiffuse"}


def kit(records: Records) -> Table:
    """Base against fine-tuned on KIT-ML (EasyTune's table S3)."""
    name, title = "kit", "Base and fine-tuned on KIT-ML"
    heads = ("corpus", "model")
    if records.run["corpus"]["kind"] != "kit":
        other = "snakemake --cores all --configfile config/kit.yaml table_kit"
        rows = []
        for backbone in KIT.values():
            for label in ("(base)", "+ EasyTune"):
                found = published.row("sota_kit", method=f"{backbone} {label}")
                cells = {metric.key: Cell(paper=found[metric.paper]) for metric in GENERATION}
                rows.append(Row(("KIT-ML", f"{backbone} {label}"), cells, "KIT-ML", command=other))
        notes = ["This run is not on KIT-ML."]
        return _judge(records, Table(name, title, heads, GENERATION, rows, notes), "kit")
    real = published.row("sota_kit", method="Real")
    rows = [real_row(records, GENERATION, ("KIT-ML", "Real"), group="KIT-ML", paper=real)]
    for backbone in records.run["backbones"]:
        for method, label in _labels(records, "(base)").items():
            found = published.row("sota_kit", method=f"{KIT.get(backbone, backbone)} {label}")
            rows.append(
                model_row(
                    records, backbone, method, ("KIT-ML", f"{backbone} {label}"), GENERATION,
                    group="KIT-ML", paper=found,
                )
            )  # fmt: skip
    return _judge(records, Table(name, title, heads, GENERATION, rows, [STARRED]), "kit")
