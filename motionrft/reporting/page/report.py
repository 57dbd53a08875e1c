"""`report.html`: one file that opens without a server or a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from motionrft.configuration import dump
from motionrft.files import atomic, code_version
from motionrft.player.page import ROOM as PLAYER
from motionrft.player.page import SCRIPT, STYLE, embedded
from motionrft.reporting import figures, published, tables
from motionrft.reporting.page.dag import svg
from motionrft.reporting.page.facts import duration, facts
from motionrft.reporting.page.jobs import flagged, jobs, unchecked, worth_reading
from motionrft.reporting.page.opening import (
    findings,
    main_rows,
    recorded,
    what_it_found,
    what_was_run,
    why_open,
)
from motionrft.reporting.page.pictures import pictures
from motionrft.reporting.page.player import players
from motionrft.reporting.page.summary import summary
from motionrft.reporting.page.table_view import table_view
from motionrft.reporting.questions import QUESTIONS
from motionrft.reporting.records import Records

PAGE = Path(__file__).parent


def answers(records: Records) -> tuple[list[dict[str, Any]], list[str]]:
    """The page's questions, each with the tables and figures that answer it; what this run has no numbers for, by title."""
    views = [
        table_view(tables.build(name, records)) | {"question": tables.load(name).question}
        for name in tables.in_order()
    ]
    drawn = list(pictures(records.folder / "figures"))
    absent = [view["title"] for view in views if not view["rows"]]
    absent += [
        figures.load(name).title
        for name in figures.in_order()
        if name not in {picture["name"] for picture in drawn}
    ]
    asked = [
        {
            "name": name,
            "title": title,
            "tables": [view for view in views if view["question"] == name and view["rows"]],
            "figures": [picture for picture in drawn if picture["question"] == name],
        }
        for name, title in QUESTIONS.items()
    ]
    return asked, absent


def most_compared(run: dict[str, Any]) -> str:
    """The backbone with most methods, whose figures the page opens with."""
    return str(Counter(entry["backbone"] for entry in run["matrix"]).most_common(1)[0][0])


def write_report(records: Records, out: Path, job_counts: Mapping[str, int]) -> None:
    """Gathers whatever is finished and writes the page atomically; job_counts: jobs of the whole run by rule."""
    comparable, why = published.comparable(
        records.run,
        records.evaluator,
        representation=published.evaluator_representation(records.run),
    )
    finished = jobs(records)
    without_check = unchecked(records)
    asked, absent = answers(records)
    claims = findings(records)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([PAGE, PLAYER]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["duration"] = duration
    html = environment.get_template("report.html.j2").render(
        run=records.run,
        code=code_version(),
        facts=facts(records, finished),
        ran=what_was_run(records.run),
        findings=claims,
        found=what_it_found(claims),
        why_open=why_open(records),
        main=list(main_rows(records)),
        recorded=recorded(records),
        backbone=most_compared(records.run),
        questions=asked,
        absent=absent,
        summary=summary(records),
        comparable=comparable,
        why=why,
        evaluator=records.evaluator,
        flags=flagged(records),
        unchecked=without_check,
        checked=len(records.cost_files) - len(without_check),
        jobs=finished.astype(object).where(finished.notna(), "").to_dict("records"),
        logs=worth_reading(records, finished),
        dag=svg(job_counts, Counter(finished["rule"])),
        config=dump(records.run),
        players=embedded(players(records)),
        player_css=STYLE,
        player_js=SCRIPT,
        css=(PAGE / "report.css").read_text(encoding="utf-8"),
        js=(PAGE / "report.js").read_text(encoding="utf-8"),
    )
    with atomic(out) as temporary:
        temporary.write_text(html, encoding="utf-8")
