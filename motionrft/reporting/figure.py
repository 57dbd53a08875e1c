"""A figure before it is a file: what a drop-in of `figures/` defines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motionrft.player.film import write_gif
from motionrft.reporting import style

if TYPE_CHECKING:
    from motionrft.reporting.records import Records


@dataclass(frozen=True)
class Film:
    """Pictures (PIL) that follow one another, `fps` a second."""

    pictures: list[Any]
    fps: int

    def save(self, folder: Path, name: str) -> list[Path]:
        """<name>.gif in `folder`."""
        path = folder / f"{name}.gif"
        write_gif(path, self.pictures, self.fps)
        return [path]


@dataclass(frozen=True)
class FigureFile:
    """What `motionrft/reporting/figures/<name>.py` defines as `FIGURE`.

    draw: from the records to one drawing (a matplotlib figure or a `Film`), to one a backbone by its name, or to None where
    the records say too little; question: which of the page's questions (`questions.QUESTIONS`) it answers; opening: whether
    the page opens with it; source: the number of the figure in the paper, empty for the suite's own; order: its place on
    the page, smallest first; needs: the records without which it is not drawn, as `Records.frame` names them.
    """

    caption: str
    draw: Callable[[Records], Any | Mapping[str, Any] | None]
    question: str = "method"
    opening: bool = False
    source: str = ""
    order: int = 1000
    needs: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The caption with the paper's number of it in brackets."""
        return f"{self.caption} (the paper's figure {self.source})" if self.source else self.caption

    def drawings(self, name: str, records: Records) -> dict[str, Any]:
        """By the name of their files, <name> or, one a backbone, <name>_<backbone>; none where its records are absent."""
        if any(records.frame(need).empty for need in self.needs):
            return {}
        drawing = self.draw(records)
        if drawing is None:
            return {}
        if not isinstance(drawing, Mapping):
            return {name: drawing}
        return {f"{name}_{part}": each for part, each in drawing.items()}

    def write(self, name: str, records: Records, folder: Path) -> list[Path]:
        """Saves every drawing; returns the files written."""
        drawings = self.drawings(name, records)
        return [path for stem, each in drawings.items() for path in _save(each, folder, stem)]


def _save(drawing: Any, folder: Path, name: str) -> list[Path]:
    if isinstance(drawing, Film):
        return drawing.save(folder, name)
    return style.save(drawing, folder, name)
