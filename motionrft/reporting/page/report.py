"""`report.html`: one file that opens without a server or a network."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import jinja2

from motionrft.configuration import dump
from motionrft.files import atomic, code_version
from motionrft.player.page import ROOM as PLAYER
from motionrft.player.page import SCRIPT, STYLE, embedded
from motionrft.reporting import figures, published, tables
from motionrft.reporting.page.dag import svg
from motionrft.reporting.page.jobs import flagged, jobs, unchecked
from motionrft.reporting.page.player import players
from motionrft.reporting.page.summary import summary
from motionrft.reporting.page.table_view import table_view
from motionrft.reporting.records import Records

PAGE = Path(__file__).parent


def source(path: Path) -> str:
    """The picture as the `src` of an image."""
    kind = "gif" if path.suffix == ".gif" else "png"
    return f"data:image/{kind};base64," + base64.b64encode(path.read_bytes()).decode()


def pictures(folder: Path) -> Iterator[dict[str, str]]:
    """name, title and source of every picture that the run's figures left in `folder`, in the order of the figures."""
    files = {path.stem: path for suffix in ("png", "gif") for path in folder.glob(f"*.{suffix}")}
    for name in figures.in_order():
        title = figures.load(name).title
        for stem in sorted(files):
            if stem == name:
                yield {"name": stem, "title": title, "source": source(files[stem])}
            elif stem.startswith(f"{name}_") and stem not in figures.names():
                backbone = stem.removeprefix(f"{name}_")
                yield {"name": stem, "title": f"{backbone}: {title}", "source": source(files[stem])}


def write_report(records: Records, out: Path, job_counts: Mapping[str, int]) -> None:
    """Gathers whatever is finished and writes the page atomically; job_counts: jobs of the whole run by rule."""
    comparable, why = published.comparable(
        records.run,
        records.evaluator,
        representation=published.evaluator_representation(records.run),
    )
    finished = jobs(records)
    without_check = unchecked(records)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([PAGE, PLAYER]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("report.html.j2").render(
        run=records.run,
        code=code_version(),
        summary=summary(records),
        tables=[table_view(tables.build(name, records)) for name in tables.in_order()],
        comparable=comparable,
        why=why,
        evaluator=records.evaluator,
        figures=list(pictures(records.folder / "figures")),
        flags=flagged(records),
        unchecked=without_check,
        checked=len(records.cost_files) - len(without_check),
        jobs=finished.astype(object).where(finished.notna(), "").to_dict("records"),
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
