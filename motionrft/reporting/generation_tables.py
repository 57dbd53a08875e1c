"""What the tables of generated motions share."""

from __future__ import annotations

from motionrft.reporting import published
from motionrft.reporting.records import Records
from motionrft.reporting.table import Table


def beside_paper(
    records: Records, table: Table, corpus: str = "humanml3d", representation: str = "kinematic"
) -> Table:
    """`table` with whether it may be set against the paper's and why not."""
    table.comparable, table.why = published.comparable(
        records.run, records.evaluator, corpus, representation, records.evaluator_precision
    )
    return table


def compared_models(records: Records, base: str) -> dict[str, str]:
    """Base, called `base`, and the methods set against it, each with its label."""
    methods = {method: f"+ {records.label(method)}" for method in records.against_base()}
    return {"base": base, **methods}
