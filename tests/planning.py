"""Snakemake's command line in a process forked from one that has imported it: the import takes longer than a plan.

What the project itself consists of is imported in the fork, from where the environment says. For commands that plan;
a command that runs jobs is a process of its own.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["snakemake.cli"])


def plan(
    arguments: Sequence[object], cwd: Path, environment: Mapping[str, str], timeout: int
) -> CompletedProcess[str]:
    """As `subprocess.run(["snakemake", *arguments], cwd=cwd, env=environment, …)` with its output as text."""
    words = [str(argument) for argument in arguments]
    with tempfile.TemporaryDirectory() as folder:
        out, error = Path(folder) / "out", Path(folder) / "error"
        process = FORKS.Process(target=_main, args=(words, cwd, dict(environment), out, error))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutExpired(words, timeout)
        texts = [path.read_text(encoding="utf-8") for path in (out, error)]
    return CompletedProcess(words, process.exitcode, *texts)


def _main(words: list[str], cwd: Path, environment: dict[str, str], out: Path, error: Path) -> None:
    for stream, path in (1, out), (2, error):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv = ["snakemake", *words]
    from snakemake.cli import main

    main()
