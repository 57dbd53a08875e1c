"""Backbones by representation, beside recorded motions."""

from __future__ import annotations

from motionrft.reporting import published
from motionrft.reporting.cells import STARRED, model_row, real_row
from motionrft.reporting.columns import GENERATION
from motionrft.reporting.generation_tables import beside_paper, compared_models
from motionrft.reporting.records import Records
from motionrft.reporting.table import Row, Table, TableFile


def sota(records: Records) -> Table:
    """Backbones by representation, base against fine-tuned, beside recorded motions (paper table III)."""
    rows: list[Row] = []
    evaluated = published.evaluator_representation(records.run)
    for representation in ("kinematic", "joint", "rotation"):
        backbones = [
            name
            for name, entry in records.run["backbones"].items()
            if entry["representation"] == representation
        ]
        if not backbones:
            continue
        evaluated_alike = representation == evaluated
        real = published.row("sota_h3d", group=representation, method="Real")
        rows.append(
            real_row(
                records,
                GENERATION,
                (representation, "Real"),
                group=representation,
                paper=real,
                comparable=evaluated_alike,
            )
        )
        for backbone in backbones:
            for method, label in compared_models(records, "(base)").items():
                printed = published.row(
                    "sota_h3d",
                    group=representation,
                    method=f"{published.BACKBONES.get(backbone, backbone)} {label}",
                )
                rows.append(
                    model_row(
                        records,
                        backbone,
                        method,
                        (representation, f"{backbone} {label}"),
                        GENERATION,
                        group=representation,
                        paper=published.intervals(printed),
                        comparable=evaluated_alike,
                    )
                )
    notes = [
        STARRED,
        f"All representations are judged by one evaluator of {evaluated} motions, after conversion; the paper uses one "
        f"each, so that only its {evaluated} rows are comparable with these.",
    ]
    return beside_paper(
        records,
        Table(
            ("representation", "model"),
            GENERATION,
            rows,
            notes,
        ),
        representation=evaluated,
    )


TABLE = TableFile(
    title="Base and fine-tuned, by representation",
    question="backbone",
    source="paper table III",
    order=30,
    needs=("evaluations", "prompts", "evaluator"),
    build=sota,
)
