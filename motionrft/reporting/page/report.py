"""`report.html`: one file that opens without a server or a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from motionrft.configuration import dump
from motionrft.files import atomic, code_version
from motionrft.player.page import ROOM as PLAYER
from motionrft.player.page import SCRIPT, STYLE
from motionrft.reporting import figures, published, tables
from motionrft.reporting.page.contents import Choice, kept, whole
from motionrft.reporting.page.dag import svg
from motionrft.reporting.page.facts import duration, facts
from motionrft.reporting.page.jobs import flagged, jobs, unchecked
from motionrft.reporting.page.opening import (
    findings,
    main_rows,
    ranked_in,
    recorded,
    what_it_found,
    what_was_run,
    why_open,
)
from motionrft.reporting.page.pictures import pictures
from motionrft.reporting.page.summary import summary
from motionrft.reporting.page.table_view import table_view
from motionrft.reporting.questions import QUESTIONS
from motionrft.reporting.records import Records
from motionrft.reporting.stored import without_paths, without_paths_in

PAGE = Path(__file__).parent


def answers(
    records: Records, drawn: Sequence[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """The page's questions, each with the tables and those of the `drawn` figures that answer it; what this run has no
    numbers for, by title."""
    views = [
        table_view(tables.build(name, records)) | {"question": tables.load(name).question}
        for name in tables.in_order()
    ]
    absent = [view["title"] for view in views if not view["rows"]]
    there = {picture["name"] for picture in pictures(records.folder / "figures")}
    absent += [figures.load(name).title for name in figures.in_order() if name not in there]
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


def write_kept_report(records: Records, out: Path, job_counts: Mapping[str, int]) -> None:
    """The page as it is kept with the documentation: what `kept` chooses, and commands without paths of the machine."""
    run = records.run
    shown = Records(records.folder, named=f"results/{run['name']}")
    command = without_paths_in(run["command"]) if "command" in run else ""
    shown.__dict__["run"] = without_paths(run) | ({"command": command} if command else {})
    write_report(shown, out, job_counts, kept)


def write_report(
    records: Records, out: Path, job_counts: Mapping[str, int], choice: Choice = whole
) -> None:
    """Gathers whatever is finished and writes the page atomically; job_counts: jobs of the whole run by rule; choice: what
    it holds beside tables."""
    comparable, why = published.comparable(
        records.run,
        records.evaluator,
        representation=published.evaluator_representation(records.run),
        precision=records.evaluator_precision,
    )
    finished = jobs(records)
    without_check = unchecked(records)
    contents = choice(records, finished)
    asked, absent = answers(records, contents.pictures)
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
        group=ranked_in(records.run),
        backbone=records.most_compared(),
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
        note=contents.note,
        logs=contents.logs,
        dag=svg(job_counts, Counter(finished["rule"])),
        config=dump(contents.run),
        players=contents.players,
        player_css=STYLE,
        player_js=SCRIPT,
        css=(PAGE / "report.css").read_text(encoding="utf-8"),
        js=(PAGE / "report.js").read_text(encoding="utf-8"),
    )
    with atomic(out) as temporary:
        temporary.write_text(html, encoding="utf-8")
