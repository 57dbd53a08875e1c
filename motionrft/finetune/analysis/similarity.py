"""How much of a clean motion is left at each noise level (the paper's Fig. 5).

From which level on can a reward that was trained on clean motions still be trusted? The noise is added
where the backbone diffuses and decoded; the paper does not say which similarity it plots, so several are
recorded: raw cosine over valid frames, (1 + cos) / 2, and the reward model's own motion embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from motionrft.backbones.base import Backbone
from motionrft.corpus.dataset import Batch
from motionrft.diffusion.sampler import Sampler
from motionrft.finetune.batch import PromptBatch
from motionrft.finetune.objective import Reward
from motionrft.finetune.reward_timestep import CLEAN, Level
from motionrft.finetune.setup import FineTuning
from motionrft.networks.masks import frame_mask
from motionrft.reward.motion_reward import MotionReward

POINTS = 16


def cosine(a: Tensor, b: Tensor, lengths: Tensor) -> Tensor:
    """[B]: cosine of the valid frames of two motions [B, T, dim], as one vector a motion."""
    valid = frame_mask(lengths, a.shape[1])[..., None]
    return F.cosine_similarity((a * valid).flatten(1), (b * valid).flatten(1))


@torch.no_grad()
def noised_similarity(
    backbone: Backbone,
    sampler: Sampler,
    reward: Reward,
    levels: Sequence[Level],
    motions: Batch,
    prompts: PromptBatch,
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """Tidy: step (position in the walk; T is clean), signal, noise, what (noised | one_step), name, row, value.

    `reward` must compute the m2m term: its embedding similarity to the clean motion, told t = 0
    (`embedding_clean`) and told the level (`embedding`).
    """
    generator = torch.Generator(motions.features.device).manual_seed(seed)
    clean = backbone.encode(motions, generator)
    features = backbone.to_features(clean, motions.lengths)
    context = reward.context(prompts.captions, features, motions.lengths, backbone.representation)
    epsilon = torch.randn(clean.shape, generator=generator, device=clean.device).to(clean)
    table, T = sampler.table, len(sampler)
    rows: list[tuple[int, float, float, str, str, int, float]] = []
    for i in sorted({round(n * T / (POINTS - 1)) for n in range(POINTS)}):
        signal, noise = float(table.signal[i]), float(table.noise[i])
        x = signal * clean + noise * epsilon
        states = {"noised": (x, levels[i])}
        if i < T:
            output = sampler.output(i, x, prompts.condition)
            states["one_step"] = (table.clean(i, x, output), CLEAN)
        for what, (state, level) in states.items():
            motion = backbone.to_features(state, motions.lengths)
            raw = cosine(motion, features, motions.lengths)
            similarities = {"cosine": raw, "half_cosine": (1 + raw) / 2}
            for name, t, scale in (
                ("embedding_clean", 0, 1.0),
                ("embedding", level.t, level.scale),
            ):
                timesteps = torch.full_like(motions.lengths, int(t))
                scores = reward(motion * scale, motions.lengths, context, timesteps)
                similarities[name] = scores["m2m"]
            rows += [
                (i, signal, noise, what, name, row, float(value))
                for name, values in similarities.items()
                for row, value in enumerate(values)
            ]
    return pd.DataFrame(rows, columns=["step", "signal", "noise", "what", "name", "row", "value"])


def similarity(tuning: FineTuning) -> pd.DataFrame:
    """On as many motions of the validation split as a batch has prompts."""
    assert tuning.data is not None
    motions, prompts = tuning.data.held_out_motions(tuning.settings.batch_size)
    reward = cast(MotionReward, tuning.common_reward)
    reward = reward.view(weights={**reward.weights, "m2m": 1.0})
    return noised_similarity(
        tuning.backbone, tuning.sampler, reward, tuning.levels, motions, prompts
    )


ANALYSIS = similarity
