"""Tables, figures and the report: from the records of a run, whatever has finished."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.types import PositiveInt

from motionrft.cli.app import app
from motionrft.loading import loading

if TYPE_CHECKING:
    from motionrft.reporting.records import Records

Names = Annotated[list[str] | None, Parameter(name="--name")]


@app.command
def tables(*, results: Path, name: Names = None, out: Path | None = None) -> None:
    """Write a run's tables as csv, Markdown and LaTeX.

    For example:
        python -m motionrft tables --results results/toy --name finetuning

    Parameters
    ----------
    results
        Folder of the run.
    name
        Only this table; may be repeated.
    out
        Folder to write (default: tables/ in the run's folder).
    """
    from motionrft.files import atomic
    from motionrft.reporting.records import Records
    from motionrft.reporting.render import to_csv, to_markdown, to_tex
    from motionrft.reporting.tables import build, in_order

    records = Records(results)
    folder = out or results / "tables"
    for entry in _chosen(in_order(), name, "table"):
        table = build(entry, records)
        for suffix, render in (("csv", to_csv), ("md", to_markdown), ("tex", to_tex)):
            with atomic(folder / f"{entry}.{suffix}") as temporary:
                temporary.write_text(render(table), encoding="utf-8")
        for row in table.missing():
            print(f"{entry}: {' / '.join(row.labels)} not run; fill it with: {row.command}")


@app.command
def figures(
    *, results: Path, name: Names = None, workers: PositiveInt = 1, out: Path | None = None
) -> None:
    """Draw a run's figures as png and pdf, and its motions.

    For example:
        python -m motionrft figures --results results/toy --workers 2

    Parameters
    ----------
    results
        Folder of the run.
    name
        Only this figure; may be repeated.
    workers
        Processes that draw.
    out
        Folder to write (default: figures/ in the run's folder).
    """
    from functools import partial
    from multiprocessing import get_context

    from motionrft.files import atomic_folder
    from motionrft.reporting.figures import in_order

    folder = out or results / "figures"
    # the page's last first: those of motions, which take longest
    names = _chosen(in_order()[::-1], name, "figure")
    # all of a run's figures replace what was drawn before; those that are named join it
    owned = ("*.png", "*.pdf", "*.gif") if out is None and not name else ()
    with atomic_folder(folder, owned=owned) as temporary:
        draw_one = partial(_draw, results, temporary)
        if workers > 1:
            # no fork: it would take half of a thread pool along
            with get_context("spawn").Pool(min(workers, len(names))) as pool:
                drawn = pool.map(draw_one, names, chunksize=1)
        else:
            drawn = [draw_one(entry) for entry in names]
    for entry, done in zip(names, drawn, strict=True):
        if not done:
            print(f"{entry}: not drawn, its records do not exist yet or compare nothing")


@app.command
def report(*, results: Path, out: Path | None = None) -> None:
    """Write a run's report, one offline HTML page.

    For example:
        python -m motionrft report --results results/toy

    Parameters
    ----------
    results
        Folder of the run.
    out
        File to write (default: report.html in the run's folder).
    """
    with loading():
        from motionrft.reporting.page.report import write_report
        from motionrft.reporting.records import Records
        from motionrft.workflow_plan import Plan
        from motionrft.workflow_sharing import job_counts

    records = Records(results)
    counts = job_counts(Plan(records.run), results.resolve().parent)
    write_report(records, out or results / "report.html", counts)


def _chosen(known: Iterable[str], wanted: list[str] | None, kind: str) -> list[str]:
    """The names asked for, all of `known` if none; an unknown one is an error."""
    from motionrft.errors import unknown_name

    for name in wanted or []:
        if name not in known:
            raise unknown_name(kind, name, known, where="--name")
    return wanted or list(known)


@cache
def _records(results: Path) -> Records:
    """Read once a process."""
    from motionrft.reporting.records import Records

    return Records(results)


def _draw(results: Path, folder: Path, name: str) -> bool:
    """Draws one figure; False where its records are absent."""
    from motionrft.reporting.figures import write

    return bool(write(name, _records(results), folder))
