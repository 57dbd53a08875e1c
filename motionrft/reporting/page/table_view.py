"""A table as the page shows it."""

from __future__ import annotations

import math
from typing import Any

from motionrft.reporting.columns import Column
from motionrft.reporting.render import beside, gain, number
from motionrft.reporting.table import Cell, Row, Table


def within_class(cell: Cell) -> str:
    """The class of a comparable cell: within or outside the joint interval."""
    return {True: "within", False: "outside", None: ""}[cell.within]


LONG = 1e5  # from here on numbers are written with a power of ten


def clearly_best(table: Table, row: Row, column: Column) -> bool:
    """Whether the row is the best of its group in the column, by more than both intervals."""
    if table.rank(row, column) != 1:
        return False
    best = row.cells[column.key]
    others = [
        other.cells[column.key]
        for other in table.rows
        if other.group == row.group and other.rival and other is not row
    ]
    return all(
        abs((cell.mean or 0.0) - (best.mean or 0.0))
        > math.hypot(cell.half or 0.0, best.half or 0.0)
        for cell in others
        if cell.filled
    )


def text(cell: Cell, column: Column) -> str:
    """The number, short."""
    if cell.mean is not None and abs(cell.mean) >= LONG:
        return f"{cell.mean:.2e}"
    return number(cell, column)


def table_view(table: Table) -> dict[str, Any]:
    """A table as the page shows it: text, sort key and classes of every cell of the rows that have numbers; no rows where
    none has but those of reference. Rows without are left out, and how they are filled is listed."""
    missing = table.missing()
    present = [row for row in table.rows if not any(row is other for other in missing)]
    if all(row.reference for row in present):
        present = []
    rows = []
    for row in present:
        cells = []
        for column in table.columns:
            cell = row.cells[column.key]
            cells.append(
                {
                    "text": text(cell, column),
                    "gain": gain(cell, column),
                    "sort": "" if cell.mean is None else cell.mean,
                    "paper": beside(cell, column, table.compares(row)),
                    "kind": " ".join(
                        filter(
                            None,
                            [
                                "best" if clearly_best(table, row, column) else "",
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
    heads = [{"text": head, "meaning": ""} for head in table.label_heads]
    heads += [{"text": column.head, "meaning": column.meaning} for column in table.columns]
    commands = list(dict.fromkeys(row.command for row in missing if row.command))
    return {
        "name": table.name,
        "title": table.title,
        "heads": heads,
        "labels": len(table.label_heads),
        "rows": rows,
        "missing": [", ".join(row.labels) for row in missing],
        "notes": table.notes,
        "commands": commands,
        "paper": table.has_paper,
        "comparable": table.comparable,
        "why": table.why,
    }
