"""`config`: the complete, validated configuration of a run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_commands(stages: argparse._SubParsersAction) -> None:
    parser = stages.add_parser(
        "config",
        help="print or write a run's complete, validated configuration",
        epilog="example:\n  python -m motionrft config --config config/toy.yaml --set seeds=[0]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_option(parser)
    parser.add_argument("--out", type=Path, help="write it there instead of printing it")
    parser.set_defaults(run=run)


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """The two options every stage has: which run, and changes to it."""
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("config/toy.yaml"),
        help="run file (default: %(default)s)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a key, e.g. --set seeds=[0]",
    )


def run(arguments: argparse.Namespace) -> None:
    from motionrft.artefacts import atomic
    from motionrft.config import dump, load_run

    text = dump(load_run(arguments.config, arguments.set))
    if arguments.out is None:
        sys.stdout.write(text)
        return
    with atomic(arguments.out) as temporary:
        temporary.write_text(text, encoding="utf-8")
