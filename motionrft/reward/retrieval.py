"""Text-motion retrieval: embeddings of a split, their recall in groups of 32 (MotionRFT table I), and selection by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from motionrft.metrics.generation import GROUP
from motionrft.metrics.retrieval import TOP, recall
from motionrft.reward.data.clips import AlignedClips
from motionrft.reward.latent import Reading, mean
from motionrft.reward.network import RewardNetwork
from motionrft.reward.rules import Rules
from motionrft.text.features import TextCache
from motionrft.training.loop import Validation


@dataclass(frozen=True)
class Embeddings:
    """text [N, d] and motion {representation: [N, d]}, means; row i of all is the same clip."""

    text: Tensor
    motion: dict[str, Tensor]
    clips: list[str]
    captions: list[str]


@torch.no_grad()
def embed(
    network: RewardNetwork,
    clips: AlignedClips,
    text: TextCache,
    *,
    clean_token: bool = True,
    read: Reading = mean,
    batch_size: int = 128,
) -> Embeddings:
    """Embeds a split with fixed crops and captions. `clean_token`: clean motions carry the token of t = 0;
    `read`: how a latent becomes an embedding."""
    device = next(network.parameters()).device
    texts: list[Tensor] = []
    motions: dict[str, list[Tensor]] = {name: [] for name in clips.sets}
    names: list[str] = []
    captions: list[str] = []
    for batch in clips.epoch(batch_size):
        words = text(batch.captions).to(device)
        batch = batch.to(device)
        texts.append(read(network.encode_text(words.tokens, words.mask)))
        for name, features in batch.features.items():
            latent = network.encode_clean(features, batch.lengths, name, token=clean_token)
            motions[name].append(read(latent))
        names += batch.clips
        captions += batch.captions
    joined = {name: torch.cat(parts).cpu() for name, parts in motions.items()}
    return Embeddings(torch.cat(texts).cpu(), joined, names, captions)


def shuffled(count: int, seed: int = 42) -> Tensor:
    """An order that does not leave parts of one recording in the same group."""
    return torch.from_numpy(np.random.default_rng(seed).permutation(count))


def retrieval_scores(
    embeddings: Embeddings, top: Sequence[int] = TOP
) -> dict[str, dict[str, float]]:
    """{"t2m/<representation>", "m2t/<representation>": {R@k}} in shuffled groups of 32, or in one smaller
    group if there are fewer clips."""
    order = shuffled(len(embeddings.text))
    group = min(GROUP, len(order))
    text = embeddings.text[order]
    scores = {}
    for name, motion in embeddings.motion.items():
        scores[f"t2m/{name}"] = recall(text, motion[order], top=top, group=group)
        scores[f"m2t/{name}"] = recall(motion[order], text, top=top, group=group)
    return scores


def mean_r1(embeddings: Embeddings) -> float:
    """The selection score: R@1 averaged over both directions and all representations."""
    scores = retrieval_scores(embeddings, top=(1,))
    return float(np.mean([entry["R@1"] for entry in scores.values()]))


def retrieval_validation(
    network: RewardNetwork, clips: AlignedClips, text: TextCache, rules: Rules
) -> Validation:
    """`mean_r1` on the selecting split."""

    def validation(step: int) -> dict[str, float]:
        read = rules.reading(torch.Generator().manual_seed(step + 1))
        embeddings = embed(network, clips, text, clean_token=rules.clean_token, read=read)
        return {"score": mean_r1(embeddings)}

    return validation
