"""Options that several commands have in common."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from motionrft.errors import unknown_name

# `--samples a b c`: every word up to the next option
Several = Parameter(consume_multiple=True)


@Parameter(name="*")
@dataclass(frozen=True)
class RunFile:
    """Which run, and changes to it."""

    config: Path = Path("config/toy.yaml")
    """Run file."""

    changes: Annotated[list[str], Parameter(name="--set", show_default=False)] = field(
        default_factory=list
    )
    """A change to a key of the run, e.g. `--set seeds=[0]`; may be repeated."""

    def load(self) -> dict[str, Any]:
        """The complete run, every section and every cell of it validated."""
        from motionrft.configuration import apply_set, load_run
        from motionrft.finetune.cells import check_cells, unread

        run = load_run(self.config, self.changes)
        check_cells(run, self.config)
        changed = apply_set({}, self.changes).get("finetune", {})
        for line in unread(
            run, changed, [(cell["backbone"], cell["method"]) for cell in run["matrix"]]
        ):
            print(f"note: {line}", file=sys.stderr)
        return run

    def entry(self, section: str, name: str) -> dict[str, Any]:
        """`name` of the run's `section` (backbones, methods, text)."""
        return named(self.load(), section, name, self.config)


def named(run: dict[str, Any], section: str, name: str, where: Path) -> dict[str, Any]:
    """`run[section][name]`; an unknown name is an error that lists the known ones."""
    if name not in run[section]:
        what = "text encoder" if section == "text" else section.removesuffix("s")
        raise unknown_name(what, name, run[section], where=where, field=section)
    entry: dict[str, Any] = run[section][name]
    return entry


def tracking(run: dict[str, Any], out: Path) -> AbstractContextManager[None]:
    """Where a training's numbers go as they come (`track` of the run): the folder track/ beside what it writes."""
    from motionrft.training.tracking import NONE, tracked

    folder = out.parent / "track" / out.stem if out.suffix else out / "track"
    return tracked(run.get("track", NONE), folder, str(out.with_suffix("")))


def required_widths(name: str, encoder: dict[str, Any], where: str) -> dict[str, int]:
    """{"pooled", "tokens"} of an encoder's section, for a command that was given no text feature file."""
    from motionrft.configuration.encoders import text_widths
    from motionrft.errors import InputError

    widths = text_widths(encoder)
    if widths is None:
        raise InputError(
            f"the widths of text encoder {name} are unknown",
            where=where,
            field="--text",
            fix=f"name a text feature file, or give text.{name} its `widths`",
        )
    return widths


@Parameter(name="*")
@dataclass(frozen=True)
class Processes:
    """A command that has this group starts itself again under torchrun."""

    processes: int = 1
    """Processes that share each batch, one a GPU."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of a run's matrix."""

    backbone: str
    """Name in the configuration."""

    method: str
    """Name in the configuration."""

    seed: int = 0
    """Seed of prompts, noise and the method's draws."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CellFiles:
    """What the update of a cell reads."""

    base: Path
    """Pre-trained backbone file."""

    reward: Annotated[list[Path], Several]
    """Files of the reward's stages, in any order."""

    features: Path
    """Feature store folder."""

    text: Path
    """The backbone's text feature file."""

    reward_text: Path | None = None
    """The reward's text feature file (default: that of --text)."""
