"""Writes config/counted.json: what the jobs of the paper's runs cost, counted on the meta device.

    python -m benchmarks.counted [config/humanml3d.yaml …]

Entries that stand in the file are kept; `--afresh` counts all of them again. Run it after a change to a network, a
loss or a configuration of the paper's size; tests/rehearsal says when it is due.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from motionrft.configuration import load_run
from motionrft.files import write_json
from motionrft.forecast.count import fill
from motionrft.forecast.table import FILE, Table

RUNS = ["config/humanml3d.yaml"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="*", type=Path, default=[Path(run) for run in RUNS])
    parser.add_argument("--afresh", action="store_true", help="count every entry again")
    parser.add_argument("--out", type=Path, default=FILE)
    arguments = parser.parse_args()
    table = Table() if arguments.afresh else Table.read(arguments.out)
    for run in arguments.runs:
        try:
            fill(table, load_run(run))
        finally:  # what was counted stays
            write_json(arguments.out, table.entries)


if __name__ == "__main__":
    main()
