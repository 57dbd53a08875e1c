"""benchmarks/speed.py at small sizes: the plain forms give the same numbers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_plain_and_ours_agree_at_small_sizes():
    rows = ["easytune", "sampling", "sampling, bf16", "semantic", "semantic, recomputed"]
    rows += ["evaluation", "evaluation, bf16", "memory"]
    command = [sys.executable, "-m", "benchmarks.speed", "--tiny", "--pairs", "1", "--only", *rows]
    shown = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert (
        len(
            re.findall(
                r"^\| (?:easytune|sampling|semantic|evaluation)[^|]* \| [\d.]+ \| [\d.]+–",
                shown,
                re.M,
            )
        )
        == 7
    )
    assert "(!)" not in shown
    held = dict(re.findall(r"^\| semantic stage, (\w+) \| ([\d.]+) \|$", shown, re.M))
    assert float(held["recomputed"]) <= 0.5 * float(held["plain"])
