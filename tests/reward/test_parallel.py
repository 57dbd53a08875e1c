"""Two processes that share a batch end where one process ends, with every in-batch negative seen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
import torch
from motionrft.reward.clips import AlignedClips
from motionrft.reward.parallel import processes
from motionrft.reward.retrieval import embed
from motionrft.reward.settings import RewardSettings
from motionrft.reward.tasks import TaskData, TaskObjective, outputs_of, train_task
from motionrft.reward.train_semantic import new_network, train_semantic
from motionrft.text.features import TextCache
from tests.reward.conftest import section
from tests.reward.test_stages import clips_of, judged_folder

stage, corpus, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
value = section()
value["stages"][stage]["train"] |= {"steps": 4, "validate_every": 0}
settings = RewardSettings.read(value)
text = TextCache(corpus / "text.safetensors")
clips = clips_of(corpus, "train", "val")
with processes(torch.device("cpu")) as (device, first):
    rank = 0 if first else 1
    if stage == "semantic":
        network, _ = train_semantic(settings, clips, text, out / "checkpoint.pt", device=device)
        weights = [p.detach().flatten() for p in network.parameters()]
        found = embed(network, clips["val"], text)
        result = torch.cat([found.text, *found.motion.values()])
    else:
        _, data = judged_folder(out / f"data{rank}", corpus, stage)
        torch.manual_seed(0)
        network = new_network(settings, clips["train"], text).eval()
        branch, _ = train_task(settings, stage, network, data, out / "checkpoint.pt", device=device)
        weights = [p.detach().flatten() for p in branch.trained()]
        objective = TaskObjective(network, branch, settings.official).eval()
        _, result, _ = outputs_of(objective, TaskData(data, stage, "val", settings.official))
    torch.save({"weights": torch.cat(weights), "result": result}, out / f"rank{rank}.pt")
"""


def run(stage: str, corpus: Path, out: Path, world: int) -> list[dict[str, torch.Tensor]]:
    out.mkdir()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    if world > 1:
        port = str(29_700 + os.getpid() % 250)
        environment |= {"WORLD_SIZE": str(world), "MASTER_ADDR": "localhost", "MASTER_PORT": port}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, stage, str(corpus), str(out)],
            cwd=ROOT,
            env=environment | ({"RANK": str(rank)} if world > 1 else {}),
        )
        for rank in range(world)
    ]
    assert [process.wait(timeout=600) for process in started] == [0] * world
    return [torch.load(out / f"rank{rank}.pt") for rank in range(world)]


@pytest.mark.parametrize("stage", ["semantic", "preference"])
def test_two_processes_are_one(corpus, tmp_path, stage):
    (alone,) = run(stage, corpus, tmp_path / "one", 1)
    first, second = run(stage, corpus, tmp_path / "two", 2)
    assert torch.equal(first["weights"], second["weights"])
    # results, not weights: a key's bias has no gradient but rounding, which Adam makes as large as any
    torch.testing.assert_close(first["result"], alone["result"], atol=1e-4, rtol=1e-3)
