"""The two official data sets: their skeletons, limits and owners, and what a user must have of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motionrft.corpus.official.texts import Texts
from motionrft.corpus.store import SPLITS
from motionrft.errors import InputError
from motionrft.motion.skeleton import KIT_21, SMPL_22, Skeleton

OFFICIAL_FPS = 20.0  # what the official code multiplies seconds by, also on KIT-ML's 12.5 fps
TEXTS = "texts"
SPLIT_FILES = tuple(f"{split}.txt" for split in SPLITS)


@dataclass(frozen=True)
class Layout:
    """kind and the configuration key that names the folder; kept clips have least <= frames < limit."""

    kind: str
    skeleton: Skeleton
    least: int
    limit: int
    owner: str

    @property
    def key(self) -> str:
        return f"{self.kind}_dir"

    @property
    def dim(self) -> int:
        return 12 * len(self.skeleton) - 1


def _there(folder: Path, name: str) -> bool:
    return Texts.there(folder) if name == TEXTS else (folder / name).exists()


def root_of(settings: dict[str, Any], layout: Layout, needed: Sequence[str]) -> Path:
    """The data folder, or one clear message about what is missing, who gives it and where it goes."""
    folder = Path(settings[layout.key]).expanduser()
    missing = [name for name in needed if not _there(folder, name)]
    if missing:
        raise InputError(
            f"{', '.join(missing)} not found; the licence of the data forbids to ship them",
            where=folder,
            field=f"corpus.{layout.key}",
            fix=f"get them from {layout.owner} and put them there, or name their folder: "
            f"--config {layout.key}=/path",
        )
    return folder


HUMANML3D_LAYOUT = Layout(
    kind="humanml3d",
    skeleton=SMPL_22,
    least=40,
    limit=200,
    owner="https://github.com/EricGuo5513/HumanML3D (texts, index.csv, splits; motions are built from "
    "https://amass.is.tue.mpg.de, which kind: amass does)",
)
KIT_LAYOUT = Layout(
    kind="kit",
    skeleton=KIT_21,
    least=24,
    limit=200,
    owner="https://github.com/EricGuo5513/HumanML3D (section KIT-ML Dataset)",
)
