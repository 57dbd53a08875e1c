"""Training of the semantic stage: all parameters, three representations of the same clips a step."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from motionrft.errors import InputError
from motionrft.reward.data.clips import AlignedClips
from motionrft.reward.network import NetworkSettings, RewardNetwork
from motionrft.reward.retrieval import embed, mean_r1
from motionrft.reward.settings import RewardSettings
from motionrft.reward.stages.self_refinement import Refinement, SplObjective
from motionrft.reward.stages.semantic_objective import SemanticObjective
from motionrft.text.features import TextCache
from motionrft.training.distributed import data_parallel, rank, world_size
from motionrft.training.loop import DivergenceError, Validation, fit


def new_network(settings: RewardSettings, clips: AlignedClips, text: TextCache) -> RewardNetwork:
    network = RewardNetwork(NetworkSettings.read(settings.network, clips.dims, text.token_dim))
    with torch.no_grad():
        for layer in (network.dist_layer, network.dist_text_layer):
            layer.bias[network.settings.latent_dim :] += settings.initial_logvar
    return network


def semantic_objective(settings: RewardSettings, network: RewardNetwork) -> SemanticObjective:
    return SemanticObjective(
        network,
        settings.noise,
        settings.losses,
        settings.official,
        temperature=settings.temperature,
        threshold=settings.filter,
        decode_rows=settings.decode_rows,
    )


def selection(
    network: RewardNetwork, clips: AlignedClips, text: TextCache, settings: RewardSettings
) -> Validation:
    """Retrieval R@1 on the selecting split, fixed crops and captions."""
    official = settings.official

    def validation(step: int) -> dict[str, float]:
        generator = torch.Generator().manual_seed(step + 1) if official.sampled else None
        embeddings = embed(
            network, clips, text, clean_token=not official.no_clean_token, generator=generator
        )
        return {"score": mean_r1(embeddings)}

    return validation


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
    call = data_parallel(semantic_objective(settings, network))

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        batch = clips["train"].batch_at(
            step, train.batch_size, seed, rank=rank(), world=world_size()
        )
        words = text(batch.captions).to(device)
        batch = batch.to(device)
        return call(batch.features, batch.lengths, words, generator)

    validation = selection(network, clips[settings.official.selection_split], text, settings)
    history = fit(
        network, list(network.parameters()), loss, train, checkpoint,
        label="reward semantic", validation=validation,
    )  # fmt: skip
    return network.eval(), history


def train_spl(
    settings: RewardSettings,
    network: RewardNetwork,
    clips: dict[str, AlignedClips],
    text: TextCache,
    checkpoint: Path,
    *,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> tuple[RewardNetwork, pd.DataFrame]:
    """Self-refinement of a semantic network: its own loss plus `weight` times the SPL term.

    The history holds retrieval before (step -1) and after; the best step by validation is kept. The
    released formula (`official.spl_softmax`) may diverge: the history then says so, at the step it happened,
    and the weights are those before it.
    """
    train, spl = settings.train("spl", seed=seed), settings.spl()
    if train.checkpoint_every % spl.every:
        raise InputError(
            f"checkpoints every {train.checkpoint_every} steps fall between minings",
            field="reward.stages.spl.train.checkpoint_every",
            fix=f"take a multiple of `every` ({spl.every}), so that a resumed run mines alike",
        )
    torch.manual_seed(seed)
    network = network.to(device).requires_grad_(True)
    objective = semantic_objective(settings, network)
    refinement = Refinement(network, clips["train"], text, spl, settings.official)
    call = data_parallel(SplObjective(objective, spl, settings.official))
    validation = selection(network, clips[settings.official.selection_split], text, settings)
    network.eval()
    before = validation(-1)

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        batch = clips["train"].batch_at(
            step, train.batch_size, seed, rank=rank(), world=world_size()
        )
        mined = refinement.mined(step, batch)
        words = text(batch.captions).to(device)
        batch = batch.to(device)
        return call(batch.features, batch.lengths, words, mined, generator)

    try:
        history = fit(
            network, list(network.parameters()), loss, train, checkpoint,
            label="reward spl", validation=validation,
        )  # fmt: skip
    except DivergenceError as problem:
        if not settings.official.spl_softmax:
            raise
        history = pd.DataFrame([{"step": problem.step, "name": "diverged", "value": 1.0}])
    first = pd.DataFrame(
        {"step": -1, "name": f"val/{key}", "value": value} for key, value in before.items()
    )
    return network.eval(), pd.concat([first, history], ignore_index=True)
