"""A whole fine-tuning run on a closed-form backbone and reward; also a program that tests can kill.

python -m tests.finetune.toy_run CHECKPOINT OUT METHOD [DELAY]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from motionrft.backbones.base import Backbone, Condition
from motionrft.corpus.dataset import Batch
from motionrft.diffusion.schedules import step_table
from motionrft.finetune import released
from motionrft.finetune.batch import PromptBatch, noise_seeds
from motionrft.finetune.cost import Meter, MeteredSampler
from motionrft.finetune.loop import Training
from motionrft.finetune.method_options import read_method
from motionrft.finetune.settings import Settings
from motionrft.finetune.setup import FineTuning
from motionrft.text.features import TextBatch

DIM, FRAMES, WIDTH = 4, 6, 8
SAMPLERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": (
        "epsilon",
        {"kind": "ddim", "steps": 5, "schedule": {"beta_schedule": "scaled_linear"}},
    ),
    "ddpm": (
        "sample",
        {"kind": "ddpm", "steps": 5, "schedule": {"beta_schedule": "squaredcos_cap_v2"}},
    ),
    "flow": ("velocity", {"kind": "flow", "steps": 5}),
}
# MLD's sampler
MLD = {
    "kind": "ddim",
    "steps": 50,
    "schedule": {
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "steps_offset": 1,
        "set_alpha_to_one": False,
    },
}


class Network(Backbone):
    """A two-layer network over frames, with dropout, in motion space."""

    max_frames = FRAMES

    def __init__(self, dropout: float = 0.0):
        super().__init__()
        generator = torch.Generator().manual_seed(5)
        self.first = nn.Linear(DIM + DIM + 1, WIDTH)
        self.drop = nn.Dropout(dropout)
        self.second = nn.Linear(WIDTH, DIM)
        self.frozen = nn.Linear(DIM, DIM)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))

    @classmethod
    def build(cls, network: Any, *, dim: int, text: Any, normaliser: Any) -> Backbone:
        return cls(**network)

    def width(self, frames: int) -> int:
        return frames

    def sample_shape(self, frames: int) -> tuple[int, ...]:
        return frames, DIM

    def trainable(self) -> list[nn.Parameter]:
        return [*self.first.parameters(), *self.second.parameters()]

    def predict(self, x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        text = condition.text.pooled * (~condition.drop)[:, None]
        time_ = (t.to(x) / 1000)[:, None, None].expand(-1, x.shape[1], 1)
        read = torch.cat([x, text[:, None].expand(-1, x.shape[1], -1), time_], -1)
        return self.second(self.drop(torch.tanh(self.first(read))))

    def encode(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return batch.features

    def to_features(self, x: Tensor, lengths: Tensor, frames: int | None = None) -> Tensor:
        kept = torch.arange(x.shape[1])[None] < lengths[:, None]
        return (x + 0.1 * torch.tanh(self.frozen(x))) * kept[..., None]

    def pretrain_loss(self, *_: Any) -> dict[str, Tensor]:
        raise TypeError("not trained here")


class Reward(nn.Module):
    """Closeness of the mean frame to a matrix times the caption's vector."""

    max_t = 500

    def __init__(self) -> None:
        super().__init__()
        # the reward's schedule (scaled linear), in closed form
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
        self.alphas = torch.cumprod(1 - betas, 0)
        self.map = nn.Parameter(torch.randn(DIM, DIM, generator=torch.Generator().manual_seed(7)))
        self.seen: list[Tensor] = []
        self.references: list[bool] = []
        self.poison = -1

    def context(
        self, text: TextBatch, references: Tensor | None, lengths: Tensor, representation: str
    ) -> Tensor:
        self.references.append(references is not None)
        return text.pooled @ self.map.T

    def forward(
        self, features: Tensor, lengths: Tensor, context: Tensor, t: Tensor | None
    ) -> dict[str, Tensor]:
        assert t is not None
        self.seen.append(t)
        mean = features.sum(1) / lengths[:, None]
        near = -(mean - context).square().mean(1)
        size = -0.01 * features.square().mean((1, 2)) * (1 + t.to(features) / 1000)
        total = near + size
        if len(self.seen) == self.poison:
            total = total * float("nan")
        return {"near": near, "size": size, "total": total}


def prompts(k: int, rows: int = 6) -> PromptBatch:
    generator = torch.Generator().manual_seed(100 + k)
    nothing = torch.zeros(rows, 1, 1)
    text = TextBatch(
        torch.randn(rows, DIM, generator=generator),
        nothing,
        nothing[..., 0].bool(),
        torch.zeros(rows).long(),
    )
    lengths = torch.randint(3, FRAMES + 1, (rows,), generator=generator)
    condition = Condition(text, lengths, torch.zeros(rows, dtype=torch.bool))
    references = torch.randn(rows, FRAMES, DIM, generator=generator)
    frames, seeds = lengths.tolist(), noise_seeds(3, k, rows)
    return PromptBatch(condition, text, references, frames, seeds, (FRAMES, DIM))


def toy_run(
    method: dict[str, Any],
    settings: dict[str, Any],
    sampler: str = "ddim",
    dropout: float = 0.0,
    guidance: float = 2.0,
) -> FineTuning:
    prediction, table_settings = SAMPLERS[sampler]
    network, reward = Network(dropout), Reward()
    network.prediction = prediction
    network.requires_grad_(False)
    reward.eval().requires_grad_(False)
    trained = network.trainable()
    for parameter in trained:
        parameter.requires_grad_(True)
    read = Settings.read({"batch_size": 6, "lr": 0.01, "validate_prompts": 4, **settings})
    hooks = released.hooks(read)
    hooks.network_mode(network, trained)
    table = step_table(table_settings, prediction)
    read_one = read_method(method, len(table), "one_step")
    return FineTuning(
        network,
        MeteredSampler(network, table, guidance, Meter(), read.denoiser_precision),
        reward,
        hooks.levels(table, reward.alphas, reward.max_t, True),
        read_one,
        lambda k: prompts(k, 6 // read_one.group).repeated(read_one.group),
        trained,
        read,
        seed=3,
        hooks=hooks,
    )


METHODS: dict[str, dict[str, Any]] = {
    "easytune": {
        "family": "easytune",
        "options": {"window": {"kind": "curriculum", "k": 2, "sweep": 0.5}},
    },
    "chain": {
        "family": "easytune",
        "options": {"variant": "chain", "window": {"kind": "last", "k": 2}},
    },
    "draft": {"family": "draft", "options": {"k": 3}},
    "draft-lv": {"family": "draft", "options": {"k": 1, "lv": 2}},
    "alignprop": {"family": "alignprop", "options": {"prob": 0.5}},
    "refl": {"family": "refl", "options": {"m": 3}},
    "drtune": {"family": "drtune", "options": {"k": 2, "m": 2}},
}
# those that need the reward's value alone, and the samplers that they are defined on
BY_VALUE: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "ddpo": ({"family": "ddpo", "options": {"group": 3, "epochs": 2, "clip": 0.1}}, ("ddpm",)),
    "flow-grpo": (
        {"family": "flow_grpo", "options": {"group": 3, "epochs": 2, "clip": 0.1}},
        ("ddim", "flow"),
    ),
    "dpo": ({"family": "diffusion_dpo", "options": {"group": 3, "epochs": 2}}, tuple(SAMPLERS)),
    "sopo": (
        {"family": "sopo", "options": {"group": 3, "epochs": 2, "threshold": 0.0}},
        tuple(SAMPLERS),
    ),
}


def stopped_at(training: Training, k: int) -> None:
    """Runs `training` until it asks for the prompts of trajectory k, where it is interrupted."""
    prompts = training.tuning.batch

    def until(asked: int) -> PromptBatch:
        if asked == k:
            raise KeyboardInterrupt
        return prompts(asked)

    training.tuning.batch = until
    with pytest.raises(KeyboardInterrupt):
        training.run()


def main(checkpoint: str, out: str, method: str, delay: float = 0.0) -> None:
    torch.set_num_threads(1)
    run = toy_run(
        METHODS[method],
        {
            "trajectories": 24,
            "checkpoint_every": 1,
            "checkpoint_minutes": 0,
            "train_dropout": True,
            "validate_every": 5,
            "select_by": "mean",
        },
        sampler="flow",
        dropout=0.2,
    )
    run.validation = lambda: {"mean": float(sum(p.detach().sum() for p in run.trained))}

    def slowly(k: int) -> PromptBatch:
        time.sleep(delay)
        print("trajectory", k, flush=True)
        return prompts(k)

    run.batch = slowly
    record = Training(run, checkpoint).run()
    values = record[~record["name"].isin(["wall_s", "seconds", "peak_bytes"])]["value"]
    torch.save([*[p.detach() for p in run.trained], torch.tensor(values.to_numpy())], out)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], *(float(word) for word in sys.argv[4:]))
    assert Path(sys.argv[2]).exists()
