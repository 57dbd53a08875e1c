"""`verify`: this installation's numbers against recorded reference numbers."""

from __future__ import annotations

import argparse
from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[2] / "tests" / "fixtures"


def add_commands(stages: argparse._SubParsersAction) -> None:
    parser = stages.add_parser(
        "verify",
        help="compare this installation with recorded reference numbers",
        epilog="examples:\n"
        "  python -m motionrft verify                          the reference files shipped with the project\n"
        "  python -m motionrft verify golden/data_eval         your own set, same format",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folders",
        nargs="*",
        type=Path,
        help="folders of .safetensors + .json pairs (default: the shipped ones)",
    )
    parser.add_argument("--failures-only", action="store_true", help="print only what failed")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from motionrft.verify.run import table, verify

    folders = arguments.folders or sorted(path for path in SHIPPED.iterdir() if path.is_dir())
    checks = verify(folders)
    failed = [check for check in checks if not check.passed]
    print(table(failed if arguments.failures_only else checks))
    print(f"{len(checks) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not checks else 0
