"""A finished run's small records, kept with the documentation."""

from __future__ import annotations

from pathlib import Path

from motionrft.cli.app import app


@app.command
def publish(*, results: Path | None = None, out: Path = Path("docs/results")) -> None:
    """Keep a run's small records, its tables and what they say.

    Writes docs/results/<run>/ (records in single precision, tables, digest
    of the configuration, machine, command, and report.html with fewer motions
    and figures) and docs/results/README.md anew, the page of every run that is
    kept. Neither host nor paths are kept. The site of `make docs` shows the
    reports.

    For example:
        python -m motionrft publish --results results/toy

    Parameters
    ----------
    results
        Folder of a finished run (without: only the page is written).
    out
        Folder of the kept runs.
    """
    from motionrft.errors import InputError
    from motionrft.reporting.page.report import write_kept_report
    from motionrft.reporting.records import Records
    from motionrft.reporting.results_page import write_page
    from motionrft.reporting.stored import store
    from motionrft.workflow_plan import Plan
    from motionrft.workflow_sharing import job_counts

    if results is not None:
        records = Records(results)
        if records.evaluations.empty:
            raise InputError(
                "nothing has been evaluated yet",
                where=results,
                field="--results",
                fix="finish the run first",
            )
        counts = job_counts(Plan(records.run), results.resolve().parent)
        folder = out / records.run["name"]
        store(records, folder)
        write_kept_report(records, folder / "report.html", counts)
        print(folder)
    print(write_page(out))
