"""A finished run's small records, kept with the documentation."""

from __future__ import annotations

from pathlib import Path

from motionrft.cli.app import app


@app.command
def publish(*, results: Path | None = None, out: Path = Path("docs/results")) -> None:
    """Keep a run's small records, its tables and what they say.

    Writes docs/results/<run>/ (records in single precision, tables, digest
    of the configuration, machine, command) and docs/results/README.md anew,
    the page of every run that is kept. Neither host nor paths are kept.

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
    from motionrft.reporting.records import Records
    from motionrft.reporting.results_page import write_page
    from motionrft.reporting.stored import store

    if results is not None:
        records = Records(results)
        if records.evaluations.empty:
            raise InputError(
                "nothing has been evaluated yet",
                where=results,
                field="--results",
                fix="finish the run first",
            )
        folder = out / records.run["name"]
        store(records, folder)
        print(folder)
    print(write_page(out))
