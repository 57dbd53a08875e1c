"""Every backbone, base against fine-tuned."""

from __future__ import annotations

from motionrft.reporting import published
from motionrft.reporting.cells import STARRED, model_row
from motionrft.reporting.columns import GENERATION
from motionrft.reporting.generation_tables import beside_paper, compared_models
from motionrft.reporting.records import Records
from motionrft.reporting.table import Table, TableFile


def generalisation(records: Records) -> Table:
    """Every backbone: base and the run's methods, baselines left out (paper table VI)."""
    rows = [
        model_row(
            records,
            backbone,
            method,
            (backbone, label),
            GENERATION,
            group=backbone,
            paper=published.intervals(
                published.row(
                    "generalize_h3d",
                    group=published.BACKBONES.get(backbone, ""),
                    method=label,
                )
            ),
        )
        for backbone in records.run["backbones"]
        for method, label in compared_models(records, "Base").items()
    ]
    return beside_paper(
        records,
        Table(
            ("backbone", "method"),
            GENERATION,
            rows,
            [STARRED],
        ),
    )


TABLE = TableFile(
    title="Generalisation over backbones",
    question="backbone",
    source="paper table VI",
    order=20,
    needs=("evaluations", "prompts", "evaluator"),
    build=generalisation,
)
