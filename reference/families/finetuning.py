"""Gradients and update sequences of every fine-tuning method on recorded linear and tanh models.

A case holds a sampler's table, the network's, decoder's and reward's weights, and what each method's
gradient is; the methods, the objective and the updater under test are the ones that train.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from motionrft.backbones.base import Backbone, Condition
from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.table import StepTable
from motionrft.finetune.batch import PromptBatch
from motionrft.finetune.method import Method
from motionrft.finetune.methods.alignprop import AlignProp
from motionrft.finetune.methods.draft import Draft
from motionrft.finetune.methods.drtune import DRTune
from motionrft.finetune.methods.easytune import EasyTune
from motionrft.finetune.methods.refl import Refl
from motionrft.finetune.objective import Objective
from motionrft.finetune.optimizer import Updater
from motionrft.finetune.reward_timestep import Level
from motionrft.finetune.settings import ACTIVATIONS, Loss, Optimisation
from motionrft.finetune.trajectory import Sample, Walk
from motionrft.finetune.window import Window
from motionrft.text.features import TextBatch
from reference.case import Case

FAMILY = "finetuning"
RTOL = 1e-9
FORMS_TOLERANCE = 1e-12


def recognises(case: Case) -> bool:
    return {"in/table.A", "in/traj.x", "in/x_init"} <= set(case.tensors) and "methods" in case.meta


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

    def to_features(self, x: Tensor, lengths: Tensor) -> Tensor:
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


class RecordedNoise:
    """start: x_T; steps 0 … T-1 the recorded noises, then DRaFT-LV's."""

    def __init__(self, start: Tensor, noises: Tensor):
        self.start, self.noises = start, noises

    def __call__(self, i: int) -> Tensor:
        return self.noises[i]


class RecordingSampler(Sampler):
    """Remembers the last step it took, so that a trajectory can be walked to its end."""

    def output(self, i: int, x: Tensor, condition: Condition) -> Tensor:
        output = super().output(i, x, condition)
        self.last = (i, x.detach(), output.detach())
        return output


class Toy:
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
            range(len(cond)),
            tuple(case.input("in/x_init").shape[1:]),
            1,
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


def check(case: Case, cases: dict[str, Case]) -> None:
    with torch.enable_grad():
        toy = Toy(case)
        _trajectory(case, toy)
        for name, entry in case.meta["methods"].items():
            results = _sequence if "mode" in entry else _gradient
            plain = results(toy, name, entry, "plain")
            for key, tensor in plain.items():
                if f"out/{name}/{key}" in case.tensors:
                    _compare(case, f"out/{name}/{key}", tensor)
            for form in ACTIVATIONS[1:]:
                _same(case, f"{name} [{form} = plain]", results(toy, name, entry, form), plain)


def _trajectory(case: Case, toy: Toy) -> None:
    sampler = toy.walk(toy.backbone()).sampler
    with torch.no_grad():
        steps = list(sampler.walk(toy.condition, toy.noise))
    _compare(case, "in/traj.x", torch.stack([*(step.x for step in steps), steps[-1].next]))
    _compare(case, "in/traj.o", torch.stack([step.output for step in steps]))
    _compare(case, "in/traj.x0hat", torch.stack([step.clean for step in steps]))


def drawn(kind: type[Method], **results: Any) -> Callable[..., Method]:
    """The method whose draws, by the name of the function that makes them, are these results."""
    functions = {name: (lambda *_, result=result: result) for name, result in results.items()}
    return type(f"Drawn{kind.__name__}", (kind,), functions)


def scored_samples(toy: Toy, name: str, entry: dict[str, Any], walk: Walk) -> list[Sample]:
    """The samples whose gradients an entry adds up."""
    T, kind = toy.steps, entry["method"]
    if kind == "DRaFT-K":
        return list(Draft(T, k=entry["K"]).samples(walk))
    if kind.startswith("DRaFT-LV"):
        term = int(re.findall(r"\d+", entry["noise"])[0])
        return [replace(list(Draft(T, k=1, lv=term + 1).samples(walk))[1 + term], weight=1.0)]
    if kind.startswith("AlignProp"):
        live = entry["mask"] if "mask" in entry else range(entry["cut"], T)
        return list(drawn(AlignProp, live=live)(T).samples(walk))
    if kind.startswith("ReFL"):
        return list(drawn(Refl, stop=entry["t"])(T, m=1).samples(walk))
    if kind.startswith("DRTune"):
        if "t_stop" not in entry:  # the whole trajectory: no draw of the method's has no early stop
            return [walk.run(T - 1, entry["t_train"], cut_input=True)]
        draws = drawn(DRTune, stop=entry["t_stop"], trained=entry["t_train"])
        return list(draws(T, k=1, m=1).samples(walk))
    if kind.startswith("EasyTune"):
        form = "one_step" if "_x0_" in name else "noise_aware"
        samples = list(EasyTune(T, window=Window("all"), form=form).samples(walk))
        return [sample for sample in samples if entry.get("step", sample.step) == sample.step]
    raise ValueError(f"unknown method {kind!r}")


def _gradient(toy: Toy, name: str, entry: dict[str, Any], activations: str) -> dict[str, Tensor]:
    backbone = toy.backbone()
    walk = toy.walk(backbone, activations, "tcur" if "_tcur_" in name else "next")
    loss = Loss(entry["scale"], entry["margin"]) if "margin" in entry else toy.loss
    # micro-batches of two beside the whole batch: the sum must be the same
    objective = toy.objective(backbone, loss, micro_batch=0 if activations == "plain" else 2)
    total = 0.0
    for sample in scored_samples(toy, name, entry, walk):
        score = objective.score(sample.z, sample.level, sample.weight)
        assert score.gradient is not None
        sample.backward(score.gradient)
        total += score.loss
    gradients = {
        f"grad.{parameter}": torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
        for parameter, tensor in backbone.weights.items()
    }
    return gradients | {"loss": torch.tensor([total], dtype=torch.float64)}


def _sequence(toy: Toy, name: str, entry: dict[str, Any], activations: str) -> dict[str, Tensor]:
    form = "one_step" if entry["mode"] == "x0" else "noise_aware"
    window = Window("listed", listed=entry["window"])
    how = Optimisation(
        lr=entry["lr"], optimizer=entry["optimizer"], clip=entry["clip"] or 0.0, explosion=0.0
    )
    method, backbone = EasyTune(toy.steps, entry["variant"], window, form), toy.backbone()
    rewards, norms, final, parameters = run_sequence(toy, method, backbone, how, activations)
    return {
        "rewards": torch.tensor(rewards, dtype=torch.float64),
        "grad_norms_before_clip": torch.tensor(norms, dtype=torch.float64),
        "x_final": final,
        **{
            f"param.{key}": tensor for key, tensor in zip(backbone.weights, parameters, strict=True)
        },
    }


def run_sequence(
    toy: Toy, method: Method, backbone: ClosedForm, how: Optimisation, activations: str = "plain"
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
    for sample in method.samples(walk):
        score = objective.score(sample.z, sample.level, sample.weight)
        assert score.gradient is not None
        sample.backward(score.gradient)
        rewards.append(score.means()["total"])
        norms.append(updater.step())
    return rewards, norms, _final(walk.sampler, toy), updater.weights()


def _final(sampler: Sampler, toy: Toy) -> Tensor:
    """The sampler's own final sample: its last step's result, walked on where the window ended earlier."""
    assert isinstance(sampler, RecordingSampler)
    i, x, output = sampler.last
    x = toy.table.advance(i, x, output, toy.noise(i))
    with torch.no_grad():
        for step in sampler.walk(toy.condition, toy.noise, start=i + 1, x=x):
            x = step.next
    return x


def _compare(case: Case, key: str, actual: Tensor) -> None:
    """1e-9 of the largest entry of the same tensor."""
    case.compare(key, actual, atol=RTOL * max(float(case.input(key).abs().max()), 1e-300))


def _same(case: Case, label: str, actual: dict[str, Tensor], plain: dict[str, Tensor]) -> None:
    """The memory-saving forms against the plain one, every tensor in units of its largest entry: 1e-12."""
    units = {key: max(float(tensor.abs().max()), 1e-300) for key, tensor in plain.items()}
    both = [
        torch.cat([tensor.flatten() / units[key] for key, tensor in side.items()])
        for side in (actual, plain)
    ]
    case.compare(label, both[0], atol=FORMS_TOLERANCE, expected=both[1])
