"""Both kinds of stage on a tiny corpus, alone or as one of several processes."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from motionrft.reward.retrieval import embed
from motionrft.reward.settings import RewardSettings
from motionrft.reward.stages.judged import TaskData, TaskObjective, outputs_of, train_task
from motionrft.reward.stages.semantic import new_network, train_semantic
from motionrft.text.features import TextCache
from motionrft.training.distributed import process_group, rank

from .conftest import section
from .test_stages import clips_of, judged_folder


def course(corpus: Path, out: Path) -> dict[str, torch.Tensor]:
    """Weights and results of four steps of the semantic and of the preference stage."""
    value = section()
    for stage in ("semantic", "preference"):
        value["stages"][stage]["train"] |= {"steps": 4, "validate_every": 0, "checkpoint_every": 9}
    settings = RewardSettings.read(value)
    text = TextCache(corpus / "text.safetensors")
    clips = clips_of(corpus, "train", "val")
    network, _ = train_semantic(settings, clips, text, out / "semantic.pt")
    found = embed(network, clips["val"], text)
    weights = [p.detach().flatten() for p in network.parameters()]
    _, data = judged_folder(out / f"data{rank()}", corpus, "preference")
    torch.manual_seed(0)
    untrained = new_network(settings, clips["train"], text).eval()
    branch, _ = train_task(settings, "preference", untrained, data, out / "preference.pt")
    objective = TaskObjective(untrained, branch, settings.official).eval()
    _, scores, _ = outputs_of(objective, TaskData(data, "preference", "val", settings.official))
    return {
        "weights": torch.cat([*weights, *(p.detach().flatten() for p in branch.trained())]),
        "embeddings": torch.cat([found.text, *found.motion.values()]),
        "scores": scores,
    }


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    with process_group(torch.device("cpu")):
        torch.save(course(Path(sys.argv[1]), folder), folder / f"rank{rank()}.pt")
