"""Writes requirements/*.lock from the environment that runs this: `python envs/locks.py`.

A lock pins what its group of pyproject.toml asks for and all that these packages ask for in turn: run (the package),
workflow (Snakemake, less what run.lock pins), test, lint and docs (less what both pin). So `pip install -r run.lock -r
workflow.lock` makes what a run needs and nothing else. Left out are version suffixes of one build of torch (+cpu) and the libraries of the
card's maker that other builds of it bring: they differ between machines.
"""

import importlib.metadata
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
# a group and those that it is installed beside
BESIDE = {
    "run": (),
    "workflow": ("run",),
    "test": ("run", "workflow"),
    "lint": ("run", "workflow"),
    "docs": ("run", "workflow"),
}
OF_A_CARD = ("nvidia-", "cuda-", "triton")


def asked() -> dict[str, list[str]]:
    """What pyproject.toml asks for, by group."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {"run": project["dependencies"], **project["optional-dependencies"]}


def add_with_all_it_asks_for(
    requirement: Requirement, extra: str, found: dict[str, importlib.metadata.Distribution]
) -> None:
    """Adds the requirement's package to `found`, by name, and those it asks for. extra: of the asking package."""
    name = canonicalize_name(requirement.name)
    marker = requirement.marker
    if name.startswith(OF_A_CARD) or (marker is not None and not marker.evaluate({"extra": extra})):
        return
    known = name in found
    if known and not requirement.extras:
        return
    found[name] = found.get(name) or importlib.metadata.distribution(name)
    for wanted in requirement.extras if known else ("", *requirement.extras):
        for line in found[name].requires or ():
            add_with_all_it_asks_for(Requirement(line), wanted, found)


def closure(group: str) -> dict[str, str]:
    """The pins of all that a group asks for, by name. Raises `PackageNotFoundError` where it is not installed."""
    found: dict[str, importlib.metadata.Distribution] = {}
    for line in asked()[group]:
        add_with_all_it_asks_for(Requirement(line), "", found)
    return {
        name: f"{package.metadata['Name']}=={package.version.partition('+')[0]}"
        for name, package in sorted(found.items())
    }


def lock(group: str) -> list[str]:
    """The pins of a group without those of the groups beside it, sorted."""
    others = [closure(other) for other in BESIDE[group]]
    return [
        pin for name, pin in closure(group).items() if not any(name in other for other in others)
    ]


def main() -> None:
    written = {group: lock(group) for group in BESIDE}  # all of them, or none
    for group, pins in written.items():
        note = f"# Written by envs/locks.py: the group {group} of pyproject.toml"
        note += f", beside {' and '.join(BESIDE[group])}" if BESIDE[group] else ""
        path = ROOT / "requirements" / f"{group}.lock"
        path.write_text("\n".join([note, *pins, ""]))
        print(f"{path.relative_to(ROOT)}: {len(pins)} packages")


if __name__ == "__main__":
    sys.exit(main())
