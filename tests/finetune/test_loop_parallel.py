"""Two processes that share each batch end where one process ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from motionrft.finetune.loop import Training
from tests.same import assert_same

from .toy_run import METHODS, toy_run

ROOT = Path(__file__).parents[2]
SETTINGS = {"updates": 6, "kl": 0.05, "batch_size": 6}
PROGRAM = """
import sys, torch
torch.set_default_dtype(torch.float64)
from motionrft.finetune.loop import Training
from motionrft.training.distributed import process_group
from tests.finetune.toy_run import METHODS, toy_run
with process_group(torch.device("cpu")) as (device, first):
    run = toy_run(METHODS[sys.argv[1]], {settings}, "flow")
    record = Training(run, sys.argv[2]).run()
    loss = record[record["name"] == "loss"]["value"].to_numpy()
    if first:
        torch.save([*[p.detach() for p in run.trained], torch.tensor(loss)], sys.argv[3])
"""


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.usefixtures("float64")
def test_two_processes(tmp_path):
    method = "easytune"
    environment = {
        **os.environ,
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "localhost",
        "OMP_NUM_THREADS": "1",
    }
    port = str(29600 + os.getpid() % 300)
    words = [sys.executable, "-c", PROGRAM.replace("{settings}", repr(SETTINGS)), method]
    ranks = [
        subprocess.Popen(
            [*words, str(tmp_path / f"checkpoint{rank}"), str(tmp_path / "parallel.pt")],
            cwd=ROOT,
            env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank), "MASTER_PORT": port},
        )
        for rank in range(2)
    ]
    assert [process.wait(timeout=120) for process in ranks] == [0, 0]
    run = toy_run(METHODS[method], SETTINGS, "flow")
    record = Training(run, tmp_path / "checkpoint").run()
    loss = torch.tensor(record[record["name"] == "loss"]["value"].to_numpy())
    found = torch.load(tmp_path / "parallel.pt", weights_only=True)
    for a, b in zip([*run.trained, loss], found, strict=True):
        assert_same(b, a.detach())
