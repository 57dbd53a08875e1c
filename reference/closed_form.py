"""Linear and tanh models whose every fine-tuning gradient is recorded: network, decoder, reward, and their walk."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from motionrft.backbones.base import Backbone, Condition
from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.table import StepTable
from motionrft.finetune.batch import PromptBatch
from motionrft.finetune.method import Method
from motionrft.finetune.objective import Objective
from motionrft.finetune.optimizer import Updater
from motionrft.finetune.reward_timestep import Level
from motionrft.finetune.settings import Loss, Optimisation
from motionrft.finetune.trajectory import Sample, Walk
from motionrft.text.features import TextBatch
from reference.case import Case
from reference.noise import RecordedNoise


class ClosedForm(Backbone):
    """raw = W x + (S c) x + U c + b + v tau, or W2 tanh(W1 x + U c + v tau + b1) + b2; m = D z / s + d0."""

    def __init__(
        self,
        parameters: dict[str, Tensor],
        null: Tensor,
        decode: tuple[Tensor, Tensor],
        scale: float,
    ):
        super().__init__()
        self.weights = nn.ParameterDict(
            {name: nn.Parameter(tensor.clone()) for name, tensor in parameters.items()}
        )
        self.null, self.decode, self.scale = null, decode, scale

    @classmethod
    def build(cls, network: Any, *, dim: int, text: Any, normaliser: Any) -> Backbone:
        raise TypeError("a closed form is made from recorded weights")

    def width(self, frames: int) -> int:
        return 1

    def sample_shape(self, frames: int) -> tuple[int, ...]:
        return (len(self.decode[0].T),)

    def encode(self, batch: Any, generator: torch.Generator) -> Tensor:
        raise TypeError("the recorded decoder has no inverse")

    def pretrain_loss(
        self, batch: Any, condition: Condition, stage: str, generator: torch.Generator
    ) -> dict[str, Tensor]:
        raise TypeError("a closed form is not trained")

    def predict(self, x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        w, tau = self.weights, t[:, None]
        c = torch.where(condition.drop[:, None], self.null, condition.text.pooled)
        if "W" in w:
            linear: Tensor = (
                x @ w["W"].T + (c @ w["S"].T) * x + c @ w["U"].T + w["b"] + tau * w["v"]
            )
            return linear
        hidden = torch.tanh(x @ w["W1"].T + c @ w["U"].T + tau * w["v"] + w["b1"])
        output: Tensor = hidden @ w["W2"].T + w["b2"]
        return output

    def to_features(self, x: Tensor, lengths: Tensor, frames: int | None = None) -> Tensor:
        matrix, offset = self.decode
        return x / self.scale @ matrix.T + offset


@dataclass
class QuadraticReward:
    """R = -1/2 |E m - H c - q rho|^2; the level rho comes as t."""

    E: Tensor
    H: Tensor
    q: Tensor
    alphas: Tensor = field(default_factory=lambda: torch.ones(1))
    max_t: int = 1

    def parameters(self) -> Iterator[nn.Parameter]:
        yield from ()

    def buffers(self) -> Iterator[Tensor]:
        yield from (self.E, self.H, self.q)

    def context(
        self, text: TextBatch, references: Tensor | None, lengths: Tensor, representation: str
    ) -> Tensor:
        return text.pooled

    def __call__(
        self, features: Tensor, lengths: Tensor, context: Tensor, t: Tensor | None
    ) -> dict[str, Tensor]:
        rho = torch.zeros(len(features)) if t is None else t
        residual = features @ self.E.T - context @ self.H.T - rho.to(features)[:, None] * self.q
        return {"total": -0.5 * residual.square().sum(1)}


class RecordingSampler(Sampler):
    """Remembers the last step it took, so that a trajectory can be walked to its end."""

    def output(self, i: int, x: Tensor, condition: Condition) -> Tensor:
        output = super().output(i, x, condition)
        self.last = (i, x.detach(), output.detach())
        return output


class RecordedModel:
    """The model of one case, ready to be walked."""

    def __init__(self, case: Case):
        dims = case.meta["dims"]
        self.steps, self.guidance = int(dims["steps"]), case.meta["guidance"] or 1.0
        self.parameters = case.inputs("in/param.")
        self.null, self.decode = (
            case.input("in/null_cond"),
            (case.input("in/D"), case.input("in/d0")),
        )
        self.scale = float(case.meta["vae_scale"])
        scalars = {name: case.input(f"in/table.{name}") for name in "ABCPQ"}
        case.touch(["in/table.t_model"])
        # E = 0: the code that was recorded holds the output itself, whatever the network predicts
        scalars["E"] = torch.zeros_like(scalars["A"])
        self.table = StepTable(
            **scalars, t_model=case.input("in/table.tau"), **self._last_level(case)
        )
        cond = case.input("in/cond")
        nothing = torch.zeros(len(cond), 1, 1)
        text = TextBatch(
            cond, nothing, nothing[..., 0].bool(), torch.zeros(len(cond), dtype=torch.long)
        )
        lengths = torch.ones(len(cond), dtype=torch.long)
        self.condition = Condition(text, lengths, torch.zeros(len(cond), dtype=torch.bool))
        self.batch = PromptBatch(
            self.condition,
            text,
            None,
            [1] * len(cond),
            range(len(cond)),
            tuple(case.input("in/x_init").shape[1:]),
        )
        noises = [case.input("in/noise")]
        if "in/lv_noise" in case.tensors:
            noises.append(case.input("in/lv_noise"))
        self.noise = RecordedNoise(case.input("in/x_init"), torch.cat(noises))
        self.reward = QuadraticReward(case.input("in/E"), case.input("in/H"), case.input("in/q"))
        self.loss = Loss(float(case.meta["lambda_reward"]))
        self.levels = {
            name: [Level(0.0), *(Level(float(rho)) for rho in case.input(found[0]))]
            for name, pattern in (("next", "rho_next"), ("tcur", r"rho_cur\d+"))
            for found in case.matching(rf"in/table\.{pattern}")
        }

    def _last_level(self, case: Case) -> dict[str, Tensor]:
        """signal, noise: only the last step's are needed (DRaFT-LV), recorded with its entries."""
        signal, noise = torch.full((2, self.steps + 1), float("nan"), dtype=torch.float64)
        for entry in case.meta["methods"].values():
            if "alpha" in entry:
                signal[self.steps - 1], noise[self.steps - 1] = entry["alpha"], entry["sigma"]
        return {"signal": signal, "noise": noise}

    def backbone(self) -> ClosedForm:
        return ClosedForm(self.parameters, self.null, self.decode, self.scale).double()

    def walk(self, backbone: ClosedForm, activations: str = "plain", levels: str = "next") -> Walk:
        sampler = RecordingSampler(backbone, self.table, self.guidance)
        return Walk(
            sampler,
            self.condition,
            self.noise,
            self.levels[levels],
            random.Random(0),
            activations=activations,
        )

    def objective(
        self, backbone: ClosedForm, loss: Loss | None = None, micro_batch: int = 0
    ) -> Objective:
        return Objective(
            backbone, self.reward, self.batch, loss or self.loss, micro_batch=micro_batch
        )


def drawn(kind: type[Method], **results: Any) -> Callable[..., Method]:
    """The method whose draws, by the name of the function that makes them, are these results."""
    functions = {name: (lambda *_, result=result: result) for name, result in results.items()}
    return type(f"Drawn{kind.__name__}", (kind,), functions)


def samples_of(method: Method, walk: Walk) -> Iterator[Sample]:
    """What a method that back-propagates the reward yields."""
    for sample in method.samples(walk):
        assert isinstance(sample, Sample)
        yield sample


def run_sequence(
    toy: RecordedModel,
    method: Method,
    backbone: ClosedForm,
    how: Optimisation,
    activations: str = "plain",
) -> tuple[list[float], list[float], Tensor, list[Tensor]]:
    """One trajectory with its updates: rewards, norms before clipping, the final sample, the weights."""
    walk, objective = toy.walk(backbone, activations), toy.objective(backbone)
    updater = Updater(
        list(backbone.parameters()),
        how,
        planned=method.updates_per_trajectory(),
        chain=method.chain,
    )
    rewards, norms = [], []
    for sample in samples_of(method, walk):
        score = objective.score(sample.z, sample.level, sample.weight)
        assert score.gradient is not None
        sample.backward(score.gradient)
        rewards.append(score.read().rewards["total"])
        norms.append(updater.step())
    return rewards, norms, _final(walk.sampler, toy), updater.weights()


def _final(sampler: Sampler, toy: RecordedModel) -> Tensor:
    """The sampler's own final sample: its last step's result, walked on where the window ended earlier."""
    assert isinstance(sampler, RecordingSampler)
    i, x, output = sampler.last
    x = toy.table.advance(i, x, output, toy.noise(i))
    with torch.no_grad():
        for step in sampler.walk(toy.condition, toy.noise, start=i + 1, x=x):
            x = step.next
    return x
