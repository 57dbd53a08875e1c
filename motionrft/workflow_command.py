"""The Snakemake command of a run, to be typed again for a part of it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any


def snakemake_command(workflow: Any, start: str | Path) -> str:
    """`snakemake --cores all` with every option of the present command that says what the run is: its Snakefile
    and directory where these are not the usual ones, each --configfile and each --config, quoted for a shell.

    workflow: Snakemake's. start: where the command was given; paths below it are shown from there.
    """
    start = Path(start).absolute()

    def shown(path: str | Path) -> str:
        path = start / path
        return str(path.relative_to(start)) if path.is_relative_to(start) else str(path)

    words = ["snakemake", "--cores", "all"]
    if Path(workflow.main_snakefile) != start / "Snakefile":
        words += ["--snakefile", shown(workflow.main_snakefile)]
    if workflow.overwrite_workdir is not None:
        words += ["--directory", shown(workflow.overwrite_workdir)]
    settings = workflow.config_settings
    if settings.configfiles:
        words += ["--configfile", *map(shown, settings.configfiles)]
    if settings.config_args:
        words += ["--config", *settings.config_args]
    return shlex.join(words)
