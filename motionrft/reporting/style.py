"""One look for every figure: readable in print and without colour vision (Okabe–Ito, markers, line styles)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motionrft.files import atomic

if TYPE_CHECKING:
    import pandas as pd

PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#7F7F7F",
    "#8C6D31",
    "#F0E442",
)
# more than colours: the eleventh series has the first colour and another marker
MARKERS = "osD^vPX*<>ph"
LINES = ("-", "--", "-.", ":", (0, (3, 1, 1, 1)), (0, (5, 1)), "-", "--", "-.", ":")
HATCHES = ("", "//", "..", "xx")
RC: dict[str, Any] = {
    "figure.figsize": (5.2, 3.4),
    "figure.dpi": 150,
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.5,
    "lines.markersize": 5,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
}


def pyplot() -> Any:
    """matplotlib.pyplot without a display, in the suite's style, whatever the user's own matplotlibrc says."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    plt.style.use(["default", RC])
    return plt


def panels(
    count: int,
    width: float = 4.0,
    height: float = 3.1,
    columns: int = 3,
    heights: Sequence[float] = (),
) -> tuple[Any, list[Any]]:
    """A figure of `count` axes, `columns` a row; every row `height` inches, or each its own of `heights`."""
    columns = min(count, columns)
    rows = heights or [height] * -(-count // columns)
    figure, axes = pyplot().subplots(
        len(rows),
        columns,
        figsize=(width * columns, sum(rows)),
        height_ratios=rows,
        squeeze=False,
        layout="constrained",
    )
    flat = list(axes.flat)
    for axis in flat[count:]:
        axis.set_visible(False)
    return figure, flat[:count]


def by_backbone(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The rows of each backbone, in the order they come: a panel each."""
    return [(str(name), part) for name, part in frame.groupby("backbone", sort=False)]


def legend(figure: Any, axes: list[Any]) -> None:
    """One legend under all panels, since they share their series: the union, the fullest panel's order first."""
    named: dict[str, Any] = {}
    series = [axis.get_legend_handles_labels() for axis in axes]
    for handles, labels in sorted(series, key=lambda pair: -len(pair[1])):
        for handle, label in zip(handles, labels, strict=True):
            named.setdefault(label, handle)
    rows = -(-len(named) // (3 * min(len(axes), 3)))
    columns = -(-len(named) // rows)
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=columns)


def look(index: int) -> dict[str, Any]:
    """Colour, marker and line style of the index-th series."""
    return {
        "color": PALETTE[index % len(PALETTE)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": LINES[index % len(LINES)],
    }


def save(
    figure: Any, folder: Path, name: str, suffixes: Sequence[str] = ("png", "pdf")
) -> list[Path]:
    """<name>.png and <name>.pdf in `folder`, laid out once; the figure is closed."""
    plt = pyplot()
    paths = []
    figure.draw_without_rendering()
    # with an engine, even "none", matplotlib draws everything once more for every file
    figure.set_layout_engine(None)
    tight = figure.get_tightbbox().padded(plt.rcParams["savefig.pad_inches"])
    for suffix in suffixes:
        path = folder / f"{name}.{suffix}"
        with atomic(path) as temporary:
            # no creation date: equal records give equal files
            metadata = {"CreationDate": None} if suffix == "pdf" else None
            figure.savefig(temporary, bbox_inches=tight, metadata=metadata)
        paths.append(path)
    plt.close(figure)
    return paths
