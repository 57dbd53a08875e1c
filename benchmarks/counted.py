"""Writes config/counted.json: what the jobs of the shipped runs cost, counted on the meta device.

    python -m benchmarks.counted [config/humanml3d.yaml …]

Of the runs of the paper's size also the methods that they do not name, on every backbone that a method is defined on.
Entries that stand in the file are kept while a run asks for them; `--afresh` counts all of them again. Run it after a
change to a network, a loss or a configuration; tests/rehearsal says of the paper's when it is due.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from motionrft.configuration import available, load_run
from motionrft.errors import InputError
from motionrft.files import write_json
from motionrft.finetune.cells import check_cells
from motionrft.forecast.count import fill
from motionrft.forecast.table import FILE, Table, asked

PAPER = [
    "config/humanml3d.yaml",
    "config/kit.yaml",
]  # with every method, also those that they do not name
SMALL = ["config/toy.yaml", "config/rivals.yaml", "config/ci.yaml"]


def with_every_method(file: Path) -> dict[str, Any]:
    """The run, its matrix made of every method on every backbone that it goes with."""
    names = ", ".join(available("methods"))
    run = load_run(file, [f"methods=[{names}]", "matrix=[{methods: all}]"])
    defined = []
    for cell in run["matrix"]:
        try:
            check_cells({**run, "matrix": [cell]}, file)
        except InputError:
            continue
        defined.append(cell)
    return {**run, "matrix": defined}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "runs", nargs="*", type=Path, help="default: the shipped ones, and no others"
    )
    parser.add_argument("--afresh", action="store_true", help="count every entry again")
    parser.add_argument("--out", type=Path, default=FILE)
    arguments = parser.parse_args()
    table = Table() if arguments.afresh else Table.read(arguments.out)
    counted: set[tuple[str, str]] = set()
    for file in arguments.runs or map(Path, PAPER + SMALL):
        run = load_run(file) if str(file) in SMALL else with_every_method(file)
        try:
            fill(table, run)
        finally:  # what was counted stays
            write_json(arguments.out, table.entries)
        counted |= asked(run)
    if not arguments.runs:
        table.keep(counted)
        write_json(arguments.out, table.entries)


if __name__ == "__main__":
    main()
