"""benchmarks/speed.py at small sizes: the plain forms give the same numbers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]


def test_plain_and_ours_agree_at_small_sizes():
    rows = ["easytune", "sampling", "semantic", "semantic, recomputed", "evaluation"]
    # a processor without instructions for bf16 takes minutes for these
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        rows += ["sampling, bf16", "evaluation, bf16"]
    command = [
        sys.executable,
        "-m",
        "benchmarks.speed",
        "--tiny",
        "--pairs",
        "1",
        "--only",
        *rows,
        "memory",
    ]
    shown = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert len(
        re.findall(
            r"^\| (?:easytune|sampling|semantic|evaluation)[^|]* \| [\d.]+ \| [\d.]+–",
            shown,
            re.M,
        )
    ) == len(rows)
    assert "(!)" not in shown
    held = dict(re.findall(r"^\| semantic stage, (\w+) \| ([\d.]+) \|$", shown, re.M))
    assert float(held["recomputed"]) <= 0.5 * float(held["plain"])
