"""Training of the semantic stage: all parameters, three representations of the same clips a step."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from motionrft.reward.clips import AlignedClips
from motionrft.reward.distributed import rank, world_size
from motionrft.reward.network import NetworkSettings, RewardNetwork
from motionrft.reward.parallel import wrap
from motionrft.reward.retrieval import embed, mean_r1
from motionrft.reward.semantic import SemanticObjective
from motionrft.reward.settings import RewardSettings
from motionrft.text.features import TextCache
from motionrft.training.loop import fit


def new_network(settings: RewardSettings, clips: AlignedClips, text: TextCache) -> RewardNetwork:
    return RewardNetwork(NetworkSettings.read(settings.network, clips.dims, text.token_dim))


def train_semantic(
    settings: RewardSettings,
    clips: dict[str, AlignedClips],
    text: TextCache,
    checkpoint: Path,
    *,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> tuple[RewardNetwork, pd.DataFrame]:
    """clips: {"train", and the split that selects}. Returns the network in eval mode and the history."""
    train = settings.train("semantic", seed=seed)
    torch.manual_seed(seed)
    network = new_network(settings, clips["train"], text).to(device)
    official = settings.official
    objective = SemanticObjective(
        network, settings.noise, settings.losses, official,
        temperature=settings.temperature, threshold=settings.filter,
        decode_rows=settings.decode_rows,
    )  # fmt: skip
    call = wrap(objective)

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        batch = clips["train"].batch_at(
            step, train.batch_size, seed, rank=rank(), world=world_size()
        )
        words = text(batch.captions).to(device)
        batch = batch.to(device)
        return call(batch.features, batch.lengths, words, generator)

    selecting = clips[official.selection_split]

    def validation(step: int) -> dict[str, float]:
        generator = torch.Generator().manual_seed(step) if official.sampled else None
        embeddings = embed(
            network, selecting, text, clean_token=not official.no_clean_token, generator=generator
        )
        return {"score": mean_r1(embeddings)}

    history = fit(
        network, list(network.parameters()), loss, train, checkpoint,
        label="reward semantic", validation=validation,
    )  # fmt: skip
    return network.eval(), history
