"""Gradients and update sequences of every fine-tuning method on recorded linear and tanh models.

A case holds a sampler's table, the network's, decoder's and reward's weights, and what each method's
gradient is; the methods, the objective and the updater under test are the ones that train.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from motionrft.finetune.methods.alignprop import AlignProp
from motionrft.finetune.methods.draft import Draft
from motionrft.finetune.methods.drtune import DRTune
from motionrft.finetune.methods.easytune import EasyTune
from motionrft.finetune.methods.refl import Refl
from motionrft.finetune.settings import ACTIVATIONS, Loss, Optimisation
from motionrft.finetune.trajectory import Sample, Walk
from motionrft.finetune.window import Window
from reference.case import Case
from reference.closed_form import RecordedModel, drawn, run_sequence, samples_of

FAMILY = "finetuning"
RTOL = 1e-9
FORMS_TOLERANCE = 1e-12


def recognises(case: Case) -> bool:
    return {"in/table.A", "in/traj.x", "in/x_init"} <= set(case.tensors) and "methods" in case.meta


def check(case: Case, cases: dict[str, Case]) -> None:
    with torch.enable_grad():
        toy = RecordedModel(case)
        _trajectory(case, toy)
        for name, entry in case.meta["methods"].items():
            results = _sequence if "mode" in entry else _gradient
            plain = results(toy, name, entry, "plain")
            for key, tensor in plain.items():
                if f"out/{name}/{key}" in case.tensors:
                    _compare(case, f"out/{name}/{key}", tensor)
            for form in ACTIVATIONS[1:]:
                _same(case, f"{name} [{form} = plain]", results(toy, name, entry, form), plain)


def _trajectory(case: Case, toy: RecordedModel) -> None:
    sampler = toy.walk(toy.backbone()).sampler
    with torch.no_grad():
        steps = list(sampler.walk(toy.condition, toy.noise))
    _compare(case, "in/traj.x", torch.stack([*(step.x for step in steps), steps[-1].next]))
    _compare(case, "in/traj.o", torch.stack([step.output for step in steps]))
    _compare(case, "in/traj.x0hat", torch.stack([step.clean for step in steps]))


def scored_samples(
    toy: RecordedModel, name: str, entry: dict[str, Any], walk: Walk
) -> list[Sample]:
    """The samples whose gradients an entry adds up."""
    T, kind = toy.steps, entry["method"]
    if kind == "DRaFT-K":
        return list(Draft(T, k=entry["K"]).samples(walk))
    if kind.startswith("DRaFT-LV"):
        term = int(re.findall(r"\d+", entry["noise"])[0])
        return [replace(list(Draft(T, k=1, lv=term + 1).samples(walk))[1 + term], weight=1.0)]
    if kind.startswith("AlignProp"):
        live = entry["mask"] if "mask" in entry else range(entry["cut"], T)
        return list(samples_of(drawn(AlignProp, live=live)(T), walk))
    if kind.startswith("ReFL"):
        return list(samples_of(drawn(Refl, stop=entry["t"])(T, m=1), walk))
    if kind.startswith("DRTune"):
        if "t_stop" not in entry:  # the whole trajectory: no draw of the method's has no early stop
            return [walk.run(T - 1, entry["t_train"], cut_input=True)]
        draws = drawn(DRTune, stop=entry["t_stop"], trained=entry["t_train"])
        return list(samples_of(draws(T, k=1, m=1), walk))
    if kind.startswith("EasyTune"):
        form = "one_step" if "_x0_" in name else "noise_aware"
        samples = list(EasyTune(T, window=Window("all"), form=form).samples(walk))
        return [sample for sample in samples if entry.get("step", sample.step) == sample.step]
    raise ValueError(f"unknown method {kind!r}")


def _gradient(
    toy: RecordedModel, name: str, entry: dict[str, Any], activations: str
) -> dict[str, Tensor]:
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
        total += score.read().loss
    gradients = {
        f"grad.{parameter}": torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
        for parameter, tensor in backbone.weights.items()
    }
    return gradients | {"loss": torch.tensor([total], dtype=torch.float64)}


def _sequence(
    toy: RecordedModel, name: str, entry: dict[str, Any], activations: str
) -> dict[str, Tensor]:
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
