"""The command of a run, to be typed again for a part of it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from motionrft.configuration.files import ROOT, SHIPPED


def snakemake_command(workflow: Any, start: str | Path) -> str:
    """`snakemake --cores all` with every option of the present command that says what the run is: its Snakefile
    and directory where these are not the usual ones, each --configfile and each --config, quoted for a shell. For the
    workflow that a wheel ships, `motionrft run` with the same.

    workflow: Snakemake's. start: where the command was given; paths below it are shown from there.
    """
    start = Path(start).absolute()
    shipped = ROOT == SHIPPED and Path(workflow.main_snakefile) == ROOT / "Snakefile"

    def shown(path: str | Path) -> str:
        path = start / path
        for folder in (start, *([ROOT] if shipped else [])):
            if path.is_relative_to(folder):
                return str(path.relative_to(folder))
        return str(path)

    settings = workflow.config_settings
    files = [shown(path) for path in settings.configfiles]
    if shipped:
        words = ["motionrft", "run", *files]
    else:
        words = ["snakemake", "--cores", "all"]
        if Path(workflow.main_snakefile) != start / "Snakefile":
            words += ["--snakefile", shown(workflow.main_snakefile)]
    if workflow.overwrite_workdir is not None:
        words += ["--directory", shown(workflow.overwrite_workdir)]
    if files and not shipped:
        words += ["--configfile", *files]
    if settings.config_args:
        words += ["--config", *settings.config_args]
    return shlex.join(words)
