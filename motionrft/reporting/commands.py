"""`tables`, `figures` and `report`: from the records of a run, whatever has finished."""

from __future__ import annotations

import argparse
from pathlib import Path


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
    from motionrft.reporting.figures import FIGURES, draw_all
    from motionrft.reporting.motions import animations, strips
    from motionrft.reporting.records import Records

    records = Records(arguments.results)
    folder = arguments.out or arguments.results / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    motions = {"strips": strips, "animations": animations}
    names = _names({**FIGURES, **motions}, arguments.name, "figure")
    written = draw_all(records, folder, [name for name in names if name in FIGURES])
    for name in set(motions) & set(names):
        motions[name](records, folder)
    for name in names:
        if name in FIGURES and name not in written:
            print(f"{name}: not drawn, its records do not exist yet")


def run_report(arguments: argparse.Namespace) -> None:
    from motionrft.reporting.records import Records
    from motionrft.reporting.report import write_report

    write_report(Records(arguments.results), arguments.out or arguments.results / "report.html")
