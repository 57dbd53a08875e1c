"""`report.html`: one file that opens without a server or a network."""

from __future__ import annotations

import base64
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from motionrft.configuration import dump
from motionrft.files import atomic, code_version
from motionrft.reporting import published
from motionrft.reporting.compare import Comparison, against_base, holm
from motionrft.reporting.dag import svg
from motionrft.reporting.figures import FIGURES
from motionrft.reporting.jobs import flagged, jobs, unjudged
from motionrft.reporting.metrics import GENERATION, Metric
from motionrft.reporting.motions import players
from motionrft.reporting.records import Records
from motionrft.reporting.render import beside, gain, number
from motionrft.reporting.table import Cell, Table
from motionrft.reporting.tables.all import TABLES

ROOM = Path(__file__).parent


VERDICTS = ("better", "worse", "no clear difference")


@dataclass(frozen=True)
class Said:
    """The summary in plain words: counts over all fine-tunings; a line for each that differs clearly from its base
    model; a line for each other."""

    counts: list[str]
    clear: list[str]
    unclear: list[str]


def said(records: Records) -> Said:
    """What the numbers say; "better" is only written where it holds: beyond the interval on most seeds, and after
    Holm's correction over all that is said here."""
    frame = records.evaluations
    compared: list[tuple[str, Metric, float, Comparison]] = []
    for entry in records.run["matrix"]:
        backbone, method = entry["backbone"], entry["method"]
        for metric in (GENERATION[0], GENERATION[3]):
            own, base = (
                frame[
                    frame["backbone"].eq(backbone)
                    & frame["method"].eq(name)
                    & frame["metric"].eq(metric.key)
                ]
                for name in (method, "base")
            )
            found = against_base(base, own, metric.direction)
            if found is not None:
                title = f"{method} on {backbone}"
                compared.append((title, metric, float(base["value"].mean()), found))
    adjusted = holm([found.p for *_, found in compared])
    counts: dict[str, Counter[str]] = {}
    lines: dict[str, list[str]] = {}
    differing = set()
    for (title, metric, before, found), p in zip(compared, adjusted, strict=True):
        word = verdict(found, metric.direction, p)
        counts.setdefault(metric.title, Counter())[word] += 1
        if word != VERDICTS[-1]:
            differing.add(title)
        _, beyond = found.leaning(metric.direction)
        lines.setdefault(title, []).append(
            f"{metric.title} {before:.3f} → {before + found.difference:.3f}: {word} "
            f"(beyond the interval on {beyond} of {found.seeds} seeds, p = {p:.2g})"
        )
    texts = {title: f"{title}: {'; '.join(parts)}." for title, parts in lines.items()}
    return Said(
        [
            f"{title} against the base model: "
            + ", ".join(f"{word} in {count[word]}" for word in VERDICTS)
            + f" of {sum(count.values())} cells."
            for title, count in counts.items()
        ],
        [text for title, text in texts.items() if title in differing],
        [text for title, text in texts.items() if title not in differing],
    )


def verdict(found: Comparison, direction: int, p: float) -> str:
    """One of VERDICTS, p being corrected for all comparisons."""
    good, beyond = found.leaning(direction)
    if p < 0.05 and beyond * 2 > found.seeds:
        return VERDICTS[0] if good else VERDICTS[1]
    return VERDICTS[2]


def place(cell: Cell) -> str:
    """The class of a comparable cell: within or outside the joint interval."""
    return {True: "within", False: "outside", None: ""}[cell.within]


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
                    "paper": beside(cell, metric, table.compares(row)),
                    "kind": " ".join(
                        filter(
                            None,
                            [
                                f"rank{rank}" if rank else "",
                                "" if cell.filled else "empty",
                                "better" if cell.better else "",
                                place(cell) if table.compares(row) else "",
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


def picture(path: Path) -> str:
    kind = "gif" if path.suffix == ".gif" else "png"
    return f"data:image/{kind};base64," + base64.b64encode(path.read_bytes()).decode()


def pictures(folder: Path) -> list[dict[str, str]]:
    """What the run's figures show and the files themselves, in the order of FIGURES, motions last."""
    found = {path.stem: path for path in sorted(folder.glob("*.png"))}
    found |= {path.stem: path for path in sorted(folder.glob("*.gif"))}
    names = [name for name in FIGURES if name in found]
    names += [name for name in found if name not in FIGURES]
    return [{"name": name, "title": title(name), "source": picture(found[name])} for name in names]


def title(name: str) -> str:
    kind, _, backbone = name.partition("_")
    if name in FIGURES:
        return FIGURES[name][0]
    if kind == "strips":
        return f"{backbone}: eight moments of a motion, base above fine-tuned (12)"
    return f"{backbone}: base above fine-tuned, the same prompt and noise in a column (12)"


def write_report(records: Records, out: Path) -> None:
    """Gathers whatever is finished and writes the page atomically."""
    judged = published.judged(records.run)
    alike, why = published.comparable(records.run, records.evaluator, representation=judged)
    finished = jobs(records)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOM / "page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("report.html.j2").render(
        run=records.run,
        code=code_version(),
        said=said(records),
        tables=[table_view(build(records)) for build in TABLES.values()],
        comparable=alike,
        why=why,
        evaluator=records.evaluator,
        figures=pictures(records.folder / "figures"),
        flags=flagged(records),
        unjudged=unjudged(records),
        judged=len(records.cost_files) - len(unjudged(records)),
        jobs=finished.astype(object).where(finished.notna(), "").to_dict("records"),
        dag=svg(records, finished),
        config=dump(records.run),
        players=json.dumps(players(records)).replace("</", "<\\/"),
        css=(ROOM / "page" / "report.css").read_text(encoding="utf-8"),
        js=(ROOM / "page" / "report.js").read_text(encoding="utf-8"),
    )
    with atomic(out) as temporary:
        temporary.write_text(html, encoding="utf-8")
