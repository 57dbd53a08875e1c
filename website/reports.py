"""The page of sample reports: those that `motionrft publish` has left below docs/results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from motionrft.configuration import ROOT
from motionrft.reporting.page.opening import what_was_run
from motionrft.reporting.results_page import kept_runs

PLACE = "results/reports.md"
HEAD = """# Sample reports

What a run leaves for you to read, here of the runs whose records are kept ([what they say together](README.md)). Each is one
file that opens without a server or a network, shortened for this site: fewer sentences in its player, the figures of one backbone, no logs.
"""
NONE = "\nNone is kept yet. `make demo` makes one in ten minutes, `results/toy/report.html`.\n"


def page(folder: Path = ROOT / "docs" / "results") -> str:
    """Markdown: a part a run, with its report in a frame."""
    parts = list(sample_reports(folder))
    return HEAD + ("\n".join(parts) if parts else NONE)


def sample_reports(folder: Path) -> Iterator[str]:
    for records in kept_runs(folder):
        report = records.folder / "report.html"
        if not report.exists():
            continue
        name, megabytes = records.folder.name, report.stat().st_size / 1e6
        yield f"""
## {name}

{what_was_run(records.run)} [Open it in the whole window]({name}/report.html) ({megabytes:.1f} MB).

<iframe class="report" src="{name}/report.html" title="Report of the run {name}" loading="lazy"></iframe>
"""
