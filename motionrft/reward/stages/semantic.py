"""Stage 1: all parameters, three representations of the same clips a step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from motionrft.reward.data.clips import AlignedClips
from motionrft.reward.files import save_network
from motionrft.reward.network import RewardNetwork
from motionrft.reward.network_settings import NetworkSettings
from motionrft.reward.retrieval import retrieval_validation
from motionrft.reward.semantic_objective import SemanticObjective
from motionrft.reward.settings import RewardSettings
from motionrft.reward.stage import Stage, Training
from motionrft.text.features import TextCache
from motionrft.training.distributed import data_parallel, rank, world_size
from motionrft.training.loop import fit


class SemanticStage(Stage[RewardNetwork]):
    """L_sem (`semantic_objective`); the weights of the best retrieval are kept."""

    def train(self, training: Training) -> tuple[RewardNetwork, pd.DataFrame]:
        """A network trained from its first weights, and the history."""
        settings, device = training.settings, training.device
        train = settings.train(self.name, seed=training.seed)
        clips, captions = training.clips(), training.captions()
        torch.manual_seed(training.seed)
        network = new_network(settings, clips["train"], captions).to(device)
        objective = SemanticObjective(
            settings.semantic_loss(network), settings.noise, recompute=settings.recompute
        ).to(device)
        losses_of = data_parallel(objective)

        def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
            batch = clips["train"].batch_at(
                step, train.batch_size, training.seed, rank=rank(), world=world_size()
            )
            text = captions(batch.captions).to(device)
            batch = batch.to(device)
            losses: dict[str, Tensor] = losses_of(batch.features, batch.lengths, text, generator)
            return losses

        selecting = clips[settings.rules.selection_split]
        history = fit(
            network, list(network.parameters()), loss, train, training.checkpoint,
            label=f"reward {self.name}",
            validation=retrieval_validation(network, selecting, captions, settings.rules),
        )  # fmt: skip
        return network.eval(), history

    def save(self, path: Path, trained: RewardNetwork, about: dict[str, Any]) -> None:
        """The whole network."""
        save_network(path, trained, about)


def new_network(settings: RewardSettings, clips: AlignedClips, text: TextCache) -> RewardNetwork:
    """A network of the configured size for the corpus and its captions, with its first weights."""
    network = RewardNetwork(NetworkSettings.read(settings.network, clips.dims, text.token_dim))
    with torch.no_grad():
        for layer in (network.dist_layer, network.dist_text_layer):
            layer.bias[network.settings.latent_dim :] += settings.initial_logvar
    return network


STAGE = SemanticStage()
