"""The figures of a run, a file each, found by name.

`<name>.py` defines `FIGURE`, a `motionrft.reporting.figure.FigureFile`: caption, number in the paper, the records it needs,
and the function that draws them. It is then a choice of `motionrft figures --name` and a part of the page. What figures
share stands beside this folder; importing this package loads no figure.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from motionrft import drop_ins

if TYPE_CHECKING:
    from motionrft.reporting.figure import FigureFile
    from motionrft.reporting.records import Records


def names() -> list[str]:
    """All figures, sorted; none is imported."""
    return drop_ins.names(__name__)


def load(name: str) -> FigureFile:
    """The `FIGURE` of `motionrft/reporting/figures/<name>.py`; an unknown name is an `InputError`."""
    figure: FigureFile = drop_ins.load(__name__, name, "figure", "--name").FIGURE
    return figure


def in_order() -> list[str]:
    """The names as the page shows them."""
    return sorted(names(), key=lambda name: load(name).order)


def write(name: str, records: Records, folder: Path) -> list[Path]:
    """Draws a figure; returns the files written, none where its records are absent."""
    return load(name).write(name, records, folder)
