"""`python -m motionrft <stage> …`: every rule of the workflow is one such command.

Each room of the package that has commands keeps them in its own `commands.py`, a module that
imports nothing heavy at the top, so that `--help` and light rules never load torch.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence

from motionrft import __version__
from motionrft.errors import InputError, storage_error
from motionrft.training.launch import relaunch

ROOMS = (
    "config",
    "corpus",
    "text",
    "backbones",
    "reward",
    "finetune",
    "evaluation",
    "reporting",
    "verify",
)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m motionrft",
        description="Reward fine-tuning for text-to-motion generation, stage by stage.",
        epilog="examples:\n"
        "  python -m motionrft verify                     trust this installation\n"
        "  python -m motionrft finetune --help            what a stage reads and writes\n"
        "  snakemake --cores all                          the whole toy benchmark",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"motionrft {__version__}")
    stages = parser.add_subparsers(dest="stage", metavar="<stage>", required=True)
    for room in ROOMS:
        importlib.import_module(f"motionrft.{room}.commands").add_commands(stages)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    if getattr(arguments, "distributed", False):
        status = relaunch(sys.argv[1:] if argv is None else argv, arguments.processes)
        if status is not None:
            return status
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("motionrft").setLevel(logging.INFO)
    try:
        return int(arguments.run(arguments) or 0)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Exception as error:
        problem = storage_error(error, getattr(arguments, "out", None) or arguments.stage)
        if problem is None:
            raise
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: run the same command again to continue", file=sys.stderr)
        return 130
