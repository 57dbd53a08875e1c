"""Snakemake on this workflow from a test: another directory, no colours, its output as text."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from motionrft.configuration import ROOT
from tests.planning import plan

CI = ROOT / "config" / "ci.yaml"
FEATURES = "results/ci/features/stats.safetensors"
TEXT = "results/ci/text/toy.safetensors"


def snakemake(
    folder: Path, config: str | Path | Sequence[Path], *arguments: str, timeout: int = 550
) -> subprocess.CompletedProcess[str]:
    """Runs in `folder`; `config` is a run of config/ by name, or files."""
    if isinstance(config, str):
        config = ROOT / "config" / f"{config}.yaml"
    files = [config] if isinstance(config, Path) else list(config)
    words = [
        *("--snakefile", ROOT / "Snakefile", "--directory", folder, "--nocolor"),
        *("--configfile", *files, *arguments),
    ]
    if not {"--cores", "--touch"} & set(arguments):
        return plan(words, ROOT, os.environ, timeout)
    command = [sys.executable, "-m", "snakemake", *words]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False
    )


def planned(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Jobs of a dry run by rule, `all` and the like left out."""
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    if "Nothing to be done" in text:
        return {}
    table = text[text.index("Job stats:") :]
    table = table[: table.index("total")]
    counts = {name: int(number) for name, number in re.findall(r"^(\w+)\s+(\d+)$", table, re.M)}
    counts.pop("all", None)
    return counts


def pretend_finished(folder: Path, config: str | Path, *arguments: str) -> None:
    """Every output as an empty file, recorded as made with this configuration."""
    outputs = snakemake(folder, config, "--summary", *arguments)
    for line in outputs.stdout.splitlines()[1:]:
        name = line.split("\t")[0]
        path = folder / name
        if path.suffix:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        else:
            path.mkdir(parents=True, exist_ok=True)
    done = snakemake(folder, config, "--touch", "--forceall", "--cores", "1", *arguments)
    assert done.returncode == 0, done.stderr


def motionrft(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "motionrft", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=environment, timeout=550
    )
