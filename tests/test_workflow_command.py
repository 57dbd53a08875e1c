"""The command of a run, as a person types it again."""

import shlex
from pathlib import Path
from types import SimpleNamespace

from motionrft.workflow_command import snakemake_command

START = Path("/home/me/motionrft")


def command(*, files=(), changes=(), snakefile=START / "Snakefile", directory=None):
    settings = SimpleNamespace(configfiles=[START / name for name in files], config_args=changes)
    workflow = SimpleNamespace(
        main_snakefile=str(snakefile), overwrite_workdir=directory, config_settings=settings
    )
    return shlex.split(snakemake_command(workflow, START))


def test_the_usual_command_is_short():
    assert command() == ["snakemake", "--cores", "all"]


def test_it_carries_every_option_that_says_what_the_run_is():
    words = command(
        files=["config/humanml3d.yaml", "/etc/my site.yaml"],
        changes=["humanml3d_dir=/data/Human ML3D", "text={t5: {source: /t5}}"],
        snakefile="/home/me/motionrft/elsewhere/Snakefile",
        directory="/scratch/runs",
    )
    assert words == [
        *("snakemake", "--cores", "all", "--snakefile", "elsewhere/Snakefile"),
        *("--directory", "/scratch/runs", "--configfile", "config/humanml3d.yaml"),
        *("/etc/my site.yaml", "--config", "humanml3d_dir=/data/Human ML3D"),
        "text={t5: {source: /t5}}",
    ]
