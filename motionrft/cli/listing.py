"""What there is: names for configurations and commands."""

from __future__ import annotations

from typing import Literal

from motionrft.cli.app import app

Kind = Literal[
    "backbones",
    "methods",
    "corpora",
    "terms",
    "stages",
    "evaluators",
    "analyses",
    "tables",
    "figures",
]


@app.command
def list_(kind: Kind | None = None, /) -> None:
    """Name all backbones, methods, corpora, tables and more, with a line on each.

    For example:
        python -m motionrft list
        python -m motionrft list backbones

    Parameters
    ----------
    kind
        What to list (default: everything).
    """
    from motionrft.catalogue import KINDS, entries

    for each in KINDS if kind is None else (kind,):
        print(each)
        found = entries(each)
        width = max(len(entry.name) for entry in found)
        for entry in found:
            sizes = f" [{', '.join(entry.sizes)}]" if entry.sizes else ""
            print(f"  {entry.name:<{width}}  {entry.line}{sizes}")
