"""This installation's numbers against recorded reference numbers."""

from __future__ import annotations

import sys
from pathlib import Path

from motionrft.cli.app import app
from motionrft.errors import InputError

REPOSITORY = Path(__file__).resolve().parents[2]
SHIPPED = REPOSITORY / "tests" / "fixtures"


@app.command
def verify(*folders: Path, failures_only: bool = False) -> int:
    """Compare this installation with recorded reference numbers.

    Exits with 1 if any number differs, or none was compared. The checks are in
    the repository's `reference` folder, which an installed package does not
    hold.

    For example:
        python -m motionrft verify
        python -m motionrft verify golden/data_eval --failures-only

    Parameters
    ----------
    folders
        Folders of .safetensors + .json pairs (default: those shipped with the project).
    failures_only
        Print only what failed.
    """
    if not (REPOSITORY / "reference" / "run.py").is_file():
        raise InputError(
            "the reference checks are not installed",
            where="verify",
            fix="run it in a clone of the repository",
        )
    if str(REPOSITORY) not in sys.path:
        sys.path.append(str(REPOSITORY))
    from reference import run

    chosen = folders or sorted(path for path in SHIPPED.iterdir() if path.is_dir())
    checks = run.verify(chosen)
    failed = [check for check in checks if not check.passed]
    print(run.table(failed if failures_only else checks))
    print(f"{len(checks) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not checks else 0
