"""The whole run from anywhere: Snakemake with the workflow of this installation."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from motionrft.cli.app import app
from motionrft.errors import InputError

HOW_MANY = ("-c", "--cores", "-j", "--jobs", "--profile", "--executor", "-e")
CONDA = ("--use-conda", "conda", "--sdm=conda")


# `--` stands before targets and is Snakemake's
@app.command(end_of_options_delimiter="")
def run(*words: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> None:
    """Run the benchmark in the current folder: its results go to ./results.

    As `snakemake` in a checkout, without one: the workflow, its rules' schemas
    and the configurations are those of this installation.

    For example:
        python -m motionrft run
        python -m motionrft run my-run.yaml --cores 8
        python -m motionrft run humanml3d my-site.yaml --profile slurm
        python -m motionrft run toy --cores 2 -- table_finetuning
    The first is the toy run on every core.

    Parameters
    ----------
    words
        Run files, each laid over the one before: of this folder, or one that is
        shipped (toy, mocap, humanml3d, …), toy if there are none; then
        anything that Snakemake understands.
    """
    command = snakemake_words(words)
    sys.stdout.flush()
    os.execv(command[0], command)


def snakemake_words(words: Sequence[str]) -> list[str]:
    """The command line that `run` becomes."""
    from motionrft.configuration.files import ROOT, SHIPPED, run_file

    first = next((n for n, word in enumerate(words) if word.startswith("-")), len(words))
    files, rest = [run_file(word) for word in words[:first] or ["toy"]], list(words[first:])
    options = rest[: rest.index("--")] if "--" in rest else rest
    if ROOT == SHIPPED and set(CONDA) & set(options):
        raise InputError(
            "rules in conda environments run the package from a checkout",
            where="run",
            field="--use-conda",
            fix="run snakemake in a clone of the repository, or leave it out",
        )
    if not any(option.startswith(HOW_MANY) for option in options):
        rest = ["--cores", "all", *rest]
    profiles = ROOT / "workflow" / "profiles"
    for place, option in enumerate(rest[:-1]):
        if option == "--profile" and (profiles / rest[place + 1]).is_dir():
            rest[place + 1] = str(profiles / rest[place + 1])
    return [
        *(sys.executable, "-m", "snakemake"),
        *("--snakefile", str(ROOT / "Snakefile"), "--workflow-profile", str(profiles / "default")),
        *("--configfile", *map(str, files)),
        *rest,
    ]
