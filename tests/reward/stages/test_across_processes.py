"""Two processes that share a batch end where one process ends, with every in-batch negative seen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from .train_in_process import train_stages

ROOT = Path(__file__).parents[3]


@pytest.mark.processes
def test_two_processes_are_one(corpus, tmp_path):
    alone = train_stages(corpus, tmp_path)
    out = tmp_path / "two"
    out.mkdir()
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(29_700 + os.getpid() % 250),
    }
    command = [sys.executable, "-m", "tests.reward.stages.train_in_process", str(corpus), str(out)]
    started = [
        subprocess.Popen(command, cwd=ROOT, env=environment | {"RANK": str(rank)})
        for rank in range(2)
    ]
    assert [process.wait(timeout=600) for process in started] == [0, 0]
    first, second = (torch.load(out / f"rank{rank}.pt", weights_only=True) for rank in range(2))
    assert torch.equal(first["weights"], second["weights"])
    # results, not weights: a key's bias has no gradient but rounding, which Adam makes as large as any
    for name in ("embeddings", "scores"):
        torch.testing.assert_close(first[name], alone[name], atol=1e-4, rtol=1e-3)
