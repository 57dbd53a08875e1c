"""How much of a clean motion is left at each noise level (the paper's Fig. 5).

From which level on can a reward that was trained on clean motions still be trusted? The noise is added
where the backbone diffuses and decoded; the paper does not say which similarity it plots, so several are
recorded: raw cosine over valid frames, (1 + cos) / 2, and the reward model's own motion embeddings.
"""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor

from motionrft.backbones.base import Backbone
from motionrft.corpus.dataset import Batch
from motionrft.diffusion.sampler import Sampler
from motionrft.finetune.batch import Material
from motionrft.finetune.objective import Reward
from motionrft.finetune.reward_timestep import Level

POINTS = 16


def cosine(a: Tensor, b: Tensor, lengths: Tensor) -> Tensor:
    """[B]: cosine of the valid frames of two motions [B, T, dim], as one vector a motion."""
    valid = (torch.arange(a.shape[1], device=a.device)[None] < lengths[:, None])[..., None]
    return torch.nn.functional.cosine_similarity((a * valid).flatten(1), (b * valid).flatten(1))


@torch.no_grad()
def noised_similarity(
    backbone: Backbone,
    sampler: Sampler,
    reward: Reward,
    levels: list[Level],
    batch: Batch,
    material: Material,
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """Tidy: step (position in the walk; T is clean), signal, noise, what (noised | one_step), name, row, value.

    `reward` must compute the m2m term: its embedding similarity to the clean motion, told t = 0
    (`embedding_clean`) and told the level (`embedding`).
    """
    generator = torch.Generator(batch.features.device).manual_seed(seed)
    clean = backbone.encode(batch, generator)
    features = backbone.to_features(clean, batch.lengths)
    context = reward.context(
        material.prompts.text, features, batch.lengths, backbone.representation
    )
    fresh = torch.randn(clean.shape, generator=generator, device=clean.device).to(clean)
    table, T = sampler.table, len(sampler)
    rows: list[tuple[int, float, float, str, str, int, float]] = []
    for i in sorted({round(n * T / (POINTS - 1)) for n in range(POINTS)}):
        signal, noise = float(table.signal[i]), float(table.noise[i])
        x = signal * clean + noise * fresh
        states = {"noised": x}
        if i < T:
            states["one_step"] = table.clean(i, x, sampler.output(i, x, material.condition))
        for what, state in states.items():
            shown = backbone.to_features(state, batch.lengths)
            raw = cosine(shown, features, batch.lengths)
            found = {"cosine": raw, "half_cosine": (1 + raw) / 2}
            level = levels[i] if what == "noised" else Level(0)
            for name, t, scale in (
                ("embedding_clean", 0, 1.0),
                ("embedding", level.t, level.scale),
            ):
                told = torch.full_like(batch.lengths, int(t))
                found[name] = reward(shown * scale, batch.lengths, context, told)["m2m"]
            rows += [
                (i, signal, noise, what, name, row, float(value))
                for name, values in found.items()
                for row, value in enumerate(values)
            ]
    return pd.DataFrame(rows, columns=["step", "signal", "noise", "what", "name", "row", "value"])
