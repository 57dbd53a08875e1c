"""`tables`, `figures` and `report`: from the records of a run, whatever has finished."""

from __future__ import annotations

import argparse
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from motionrft.reporting.records import Records


def add_commands(stages: argparse._SubParsersAction) -> None:
    for name, summary, run in (
        ("tables", "write a run's tables as csv, Markdown and LaTeX", run_tables),
        ("figures", "draw a run's figures as png and pdf", run_figures),
        ("report", "write a run's report, one offline HTML page", run_report),
    ):
        parser = stages.add_parser(
            name,
            help=summary,
            epilog=f"example:\n  python -m motionrft {name} --results results/toy",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("--results", type=Path, required=True, help="folder of the run")
        if name == "figures":
            parser.add_argument(
                "--workers", type=int, default=1, help="processes that draw (default: %(default)s)"
            )
        if name != "report":
            parser.add_argument(
                "--name", action="append", default=[], help="only this one (may be repeated)"
            )
        parser.add_argument(
            "--out", type=Path, help="where to write (default: within the run's folder)"
        )
        parser.set_defaults(run=run)


def _names(known: dict, wanted: list[str], kind: str) -> list[str]:
    from motionrft.errors import InputError

    for name in wanted:
        if name not in known:
            raise InputError(
                f"unknown {kind} {name!r}", where="--name", fix=f"choose from {', '.join(known)}"
            )
    return wanted or list(known)


def run_tables(arguments: argparse.Namespace) -> None:
    from motionrft.artefacts import atomic
    from motionrft.reporting.build import TABLES
    from motionrft.reporting.records import Records
    from motionrft.reporting.render import to_csv, to_markdown, to_tex

    records = Records(arguments.results)
    folder = arguments.out or arguments.results / "tables"
    for name in _names(TABLES, arguments.name, "table"):
        table = TABLES[name](records)
        for suffix, render in (("csv", to_csv), ("md", to_markdown), ("tex", to_tex)):
            with atomic(folder / f"{name}.{suffix}") as temporary:
                temporary.write_text(render(table), encoding="utf-8")
        for row in table.missing():
            print(f"{name}: {' / '.join(row.labels)} not run; fill it with: {row.command}")


def run_figures(arguments: argparse.Namespace) -> None:
    from functools import partial
    from multiprocessing import get_context

    from motionrft.artefacts import atomic_folder
    from motionrft.reporting.figures import FIGURES

    folder: Path = arguments.out or arguments.results / "figures"
    # first those of motions, which take longest
    names = _names({**dict.fromkeys(MOTIONS), **FIGURES}, arguments.name, "figure")
    # all of a run's figures replace what was drawn before; those that are named join it
    whole = arguments.out is None and not arguments.name
    owned = ("*.png", "*.pdf", "*.gif") if whole else ()
    with atomic_folder(folder, owned=owned) as temporary:
        one = partial(_draw, arguments.results, temporary)
        if arguments.workers > 1:
            # no fork: it would take half of a thread pool along
            with get_context("spawn").Pool(min(arguments.workers, len(names))) as pool:
                drawn = pool.map(one, names, chunksize=1)
        else:
            drawn = [one(name) for name in names]
    for name, done in zip(names, drawn, strict=True):
        if not done:
            print(f"{name}: not drawn, its records do not exist yet")


MOTIONS = ("strips", "animations")


@cache
def _records(results: Path) -> Records:
    """Read once a process."""
    from motionrft.reporting.records import Records

    return Records(results)


def _draw(results: Path, folder: Path, name: str) -> bool:
    """Draws one figure; False where its records are absent."""
    from motionrft.reporting.figures import draw

    records = _records(results)
    if name in MOTIONS:
        from motionrft.reporting import motions

        return bool(getattr(motions, name)(records, folder))
    return bool(draw(records, folder, name))


def run_report(arguments: argparse.Namespace) -> None:
    from motionrft.reporting.records import Records
    from motionrft.reporting.report import write_report

    write_report(Records(arguments.results), arguments.out or arguments.results / "report.html")
