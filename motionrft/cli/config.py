"""The complete configuration of a run."""

from __future__ import annotations

import sys
from pathlib import Path

from motionrft.cli.app import app
from motionrft.cli.options import RunFile


@app.command
def config(*, run: RunFile = RunFile(), out: Path | None = None) -> None:
    """Print or write a run's complete, validated configuration.

    For example:
        python -m motionrft config --config config/toy.yaml --set seeds=[0]

    Parameters
    ----------
    out
        File to write instead of printing.
    """
    from motionrft.configuration import dump
    from motionrft.files import atomic

    text = dump(run.load())
    if out is None:
        sys.stdout.write(text)
        return
    with atomic(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
