"""The program whose commands the other files of this folder add."""

from __future__ import annotations

from cyclopts import App, Parameter

from motionrft import __version__

app = App(
    name="python -m motionrft",
    help="""Reward fine-tuning for text-to-motion generation, stage by stage.

    For example:
        python -m motionrft verify              trust this installation
        python -m motionrft finetune --help     what a stage reads and writes
        snakemake --cores all                   the whole toy benchmark
    """,
    version=f"motionrft {__version__}",
    help_flags=["--help", "-h"],
    version_flags=["--version"],
    help_format="plaintext",
    # no `--no-only-scores`, no `--empty-samples`
    default_parameter=Parameter(negative=()),
)
