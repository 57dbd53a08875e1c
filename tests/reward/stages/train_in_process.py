"""Both kinds of stage on a tiny corpus, alone or as one of several processes."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from motionrft.reward.branch_stage import BranchObjective, outputs_of
from motionrft.reward.retrieval import embed
from motionrft.reward.rules import Rules
from motionrft.reward.settings import RewardSettings
from motionrft.reward.stages import load
from motionrft.reward.stages.semantic import new_network
from motionrft.text.features import TextCache
from motionrft.training.distributed import process_group, rank
from tests.reward.tiny import clips_of, section, training, write_labels


def train_stages(corpus: Path, out: Path) -> dict[str, torch.Tensor]:
    """Weights and results of four steps of the semantic and of the preference stage."""
    value = section()
    for stage in ("semantic", "preference"):
        value["stages"][stage]["train"] |= {"steps": 4, "validate_every": 0, "checkpoint_every": 9}
    text = TextCache(corpus / "text.safetensors")
    network, _ = load("semantic").train(training(corpus, out / "semantic.pt", value))
    embeddings = embed(network, clips_of(corpus, "val"), text)
    weights = [p.detach().flatten() for p in network.parameters()]
    folder = out / f"data{rank()}"
    data = write_labels(folder, corpus, "preference")
    torch.manual_seed(0)
    settings = RewardSettings.read(value)
    untrained = new_network(settings, clips_of(corpus, "train"), text).eval()
    stage = load("preference")
    options = {"network": untrained, "data": folder}
    branch, _ = stage.train(training(corpus, out / "preference.pt", value, **options))
    objective = BranchObjective(stage, untrained, branch, Rules()).eval()
    scores, _ = outputs_of(objective, stage.items(data, "val", Rules()))
    return {
        "weights": torch.cat([*weights, *(p.detach().flatten() for p in branch.trained())]),
        "embeddings": torch.cat([embeddings.text, *embeddings.motion.values()]),
        "scores": scores,
    }


if __name__ == "__main__":
    out = Path(sys.argv[2])
    with process_group(torch.device("cpu")):
        torch.save(train_stages(Path(sys.argv[1]), out), out / f"rank{rank()}.pt")
