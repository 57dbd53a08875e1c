"""benchmarks/speed.py at small sizes: the plain forms give the same numbers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "benchmarks.speed", "--tiny", "--pairs", "1", "--only"]
ROW = re.compile(
    r"^\| (?:easytune|sampling|semantic|evaluation)[^|]* \| [\d.]+ \| [\d.]+–", re.MULTILINE
)


def shown(*rows: str) -> str:
    return subprocess.run(
        [*COMMAND, *rows], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout


def test_plain_and_ours_agree_at_small_sizes():
    text = shown("easytune", "sampling", "semantic", "semantic, recomputed", "evaluation", "memory")
    assert len(ROW.findall(text)) == 5
    assert "(!)" not in text
    held = dict(re.findall(r"^\| semantic stage, (\w+) \| ([\d.]+) \|$", text, re.M))
    assert float(held["recomputed"]) <= 0.5 * float(held["plain"])


@pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(),
    reason="minutes on a processor without instructions for bf16",
)
def test_they_agree_in_bf16():
    text = shown("sampling, bf16", "evaluation, bf16")
    assert len(ROW.findall(text)) == 2
    assert "(!)" not in text
