"""`report.html`: one file that opens without a server or a network."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import jinja2

from motionrft.artefacts import atomic, code_version
from motionrft.config import dump
from motionrft.reporting import published
from motionrft.reporting.build import TABLES
from motionrft.reporting.compare import against_base
from motionrft.reporting.figures import FIGURES
from motionrft.reporting.metrics import GENERATION
from motionrft.reporting.motions import players
from motionrft.reporting.records import Records
from motionrft.reporting.render import gain, number
from motionrft.reporting.table import Table

ROOM = Path(__file__).parent


def sentences(records: Records) -> list[str]:
    """What the numbers say, in plain words; a method is called better only where that holds on most seeds."""
    lines = []
    frame = records.evaluations
    top1, fid = GENERATION[0], GENERATION[3]
    for entry in records.run["matrix"]:
        backbone, method = entry["backbone"], entry["method"]
        parts = []
        for metric in (top1, fid):
            base = frame[
                (frame["backbone"] == backbone)
                & (frame["method"] == "base")
                & (frame["metric"] == metric.key)
            ]
            own = frame[
                (frame["backbone"] == backbone)
                & (frame["method"] == method)
                & (frame["metric"] == metric.key)
            ]
            found = against_base(base, own, metric.direction)
            if found is None:
                continue
            before = float(base["value"].mean())
            verdict = (
                f"better beyond the interval on {found.seeds_beyond} of {found.seeds} seeds"
                if found.seeds_beyond
                else "not better beyond the interval on any seed"
            )
            parts.append(f"{metric.key} {before:.3f} → {before + found.difference:.3f} ({verdict})")
        if parts:
            lines.append(f"{method} on {backbone}: " + "; ".join(parts) + ".")
    return lines


def table_view(table: Table) -> dict[str, Any]:
    """A table as the page shows it: text, sort key and classes of every cell."""
    rows = []
    for row in table.rows:
        cells = []
        for metric in table.metrics:
            cell = row.cells[metric.key]
            rank = table.rank(row, metric)
            cells.append(
                {
                    "text": number(cell, metric),
                    "gain": gain(cell, metric),
                    "sort": "" if cell.mean is None else cell.mean,
                    "paper": None if cell.paper is None else f"{cell.paper:.{metric.digits}f}",
                    "kind": " ".join(
                        filter(
                            None,
                            [
                                f"rank{rank}" if rank else "",
                                "" if cell.filled else "empty",
                                "better" if cell.better else "",
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
    heads = [*table.label_heads, *(f"{metric.title} {metric.arrow}" for metric in table.metrics)]
    commands = list(dict.fromkeys(row.command for row in table.missing() if row.command))
    has_paper = any(cell.paper is not None for row in table.rows for cell in row.cells.values())
    return {
        "name": table.name,
        "title": table.title,
        "heads": heads,
        "labels": len(table.label_heads),
        "rows": rows,
        "notes": table.notes,
        "commands": commands,
        "paper": has_paper,
    }


def picture(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def write_report(records: Records, out: Path) -> None:
    """Gathers whatever is finished and writes the page atomically."""
    folder = records.folder
    figures = [
        {
            "name": path.stem,
            "title": FIGURES[path.stem][0] if path.stem in FIGURES else path.stem.replace("_", " "),
            "source": picture(path),
        }
        for path in sorted((folder / "figures").glob("*.png"))
    ]
    label = evaluator_label(records)
    comparable, why = published.comparable(records.run, label)
    flags = [
        {
            "run": "/".join(path.parts[-4:-1]),
            "lines": json.loads(path.read_text(encoding="utf-8")).get("flags", []),
        }
        for path in sorted(folder.glob("finetune/*/*/seed*/cost.json"))
    ]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOM / "page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("report.html.j2").render(
        run=records.run,
        code=code_version(),
        sentences=sentences(records),
        tables=[table_view(build(records)) for build in TABLES.values()],
        comparable=comparable,
        why=why,
        evaluator=label,
        figures=figures,
        flags=[flag for flag in flags if flag["lines"]],
        jobs=records.jobs.to_dict("records"),
        config=dump(records.run),
        players=json.dumps(players(records)).replace("</", "<\\/"),
        css=(ROOM / "page" / "report.css").read_text(encoding="utf-8"),
        js=(ROOM / "page" / "report.js").read_text(encoding="utf-8"),
    )
    with atomic(out) as temporary:
        temporary.write_text(html, encoding="utf-8")


def evaluator_label(records: Records) -> str | None:
    """`official` or `self-trained`, as the evaluations say."""
    from motionrft.artefacts import read_table

    for path in sorted(records.folder.glob("evaluate/*/*/seed*/replications.parquet")):
        about = read_table(path)[1]
        return about.get("evaluator_label") or about.get("provenance", {}).get("evaluator_label")
    return None
