"""Options that several commands have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

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
        """The complete, validated run."""
        from motionrft.configuration import load_run

        return load_run(self.config, self.changes)

    def entry(self, section: str, name: str) -> dict[str, Any]:
        """`name` of the run's `section` (backbones, methods, text)."""
        return named(self.load(), section, name, self.config)


def named(run: dict[str, Any], section: str, name: str, where: Path) -> dict[str, Any]:
    """`run[section][name]`; an unknown name is an error that lists the known ones."""
    from motionrft.errors import InputError

    if name not in run[section]:
        raise InputError(
            f"{name!r} is not among the run's {section}",
            where=where,
            field=section,
            fix=f"choose from {', '.join(run[section])}",
        )
    return run[section][name]


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
