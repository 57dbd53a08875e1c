"""Base against fine-tuned on KIT-ML."""

from __future__ import annotations

from motionrft.reporting import published
from motionrft.reporting.cells import STARRED, model_row, real_row
from motionrft.reporting.columns import GENERATION
from motionrft.reporting.generation_tables import beside_paper, compared_models
from motionrft.reporting.records import Records
from motionrft.reporting.table import Cell, Row, Table, TableFile

KIT = {"mdm": "MDM", "motiondiffuse": "MotionDiffuse"}


def kit(records: Records) -> Table:
    """Base against fine-tuned on KIT-ML (EasyTune's table S3)."""
    heads = ("corpus", "model")
    if records.run["corpus"]["kind"] != "kit":
        kit_run = "snakemake --cores all --configfile config/kit.yaml"
        rows = []
        for backbone in KIT.values():
            for label in ("(base)", "+ EasyTune"):
                printed = published.row("sota_kit", method=f"{backbone} {label}")
                cells = {column.key: Cell(paper=printed[column.paper]) for column in GENERATION}
                rows.append(
                    Row(("KIT-ML", f"{backbone} {label}"), cells, "KIT-ML", command=kit_run)
                )
        notes = ["This run is not on KIT-ML."]
        return beside_paper(records, Table(heads, GENERATION, rows, notes), "kit")
    real = published.row("sota_kit", method="Real")
    rows = [real_row(records, GENERATION, ("KIT-ML", "Real"), group="KIT-ML", paper=real)]
    for backbone in records.run["backbones"]:
        for method, label in compared_models(records, "(base)").items():
            printed = published.row("sota_kit", method=f"{KIT.get(backbone, backbone)} {label}")
            rows.append(
                model_row(
                    records,
                    backbone,
                    method,
                    ("KIT-ML", f"{backbone} {label}"),
                    GENERATION,
                    group="KIT-ML",
                    paper=printed,
                )
            )
    return beside_paper(records, Table(heads, GENERATION, rows, [STARRED]), "kit")


TABLE = TableFile(
    title="Base and fine-tuned on KIT-ML",
    question="backbone",
    source="EasyTune table S3",
    order=40,
    needs=("evaluations", "prompts", "evaluator"),
    build=kit,
)
