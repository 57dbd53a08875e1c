"""A table as the page shows it."""

from __future__ import annotations

from typing import Any

from motionrft.reporting.render import beside, gain, number
from motionrft.reporting.table import Cell, Table


def within_class(cell: Cell) -> str:
    """The class of a comparable cell: within or outside the joint interval."""
    return {True: "within", False: "outside", None: ""}[cell.within]


def table_view(table: Table) -> dict[str, Any]:
    """A table as the page shows it: text, sort key and classes of every cell."""
    rows = []
    for row in table.rows:
        cells = []
        for column in table.columns:
            cell = row.cells[column.key]
            rank = table.rank(row, column)
            cells.append(
                {
                    "text": number(cell, column),
                    "gain": gain(cell, column),
                    "sort": "" if cell.mean is None else cell.mean,
                    "paper": beside(cell, column, table.compares(row)),
                    "kind": " ".join(
                        filter(
                            None,
                            [
                                f"rank{rank}" if rank else "",
                                "" if cell.filled else "empty",
                                cell.verdict,
                                within_class(cell) if table.compares(row) else "",
                            ],
                        )
                    ),
                }
            )
        rows.append(
            {
                "labels": row.labels,
                "cells": cells,
                "reference": row.reference,
                "command": row.command,
            }
        )
    heads = [*table.label_heads, *(f"{column.title} {column.arrow}" for column in table.columns)]
    commands = list(dict.fromkeys(row.command for row in table.missing() if row.command))
    return {
        "name": table.name,
        "title": table.title,
        "heads": heads,
        "labels": len(table.label_heads),
        "rows": rows,
        "notes": table.notes,
        "commands": commands,
        "paper": table.has_paper,
        "comparable": table.comparable,
        "why": table.why,
    }
