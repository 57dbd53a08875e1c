"""Counting what a run costs on the meta device, and filling the table of counts with it."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import torch

from motionrft.backbones import shapes as backbone_shapes
from motionrft.counting.costs import Line, WorkLine
from motionrft.counting.operations import counted
from motionrft.evaluation.settings import EvaluateSettings
from motionrft.finetune.cost import conditional_call
from motionrft.finetune.memory_plan import longest, measure
from motionrft.finetune.method import Asked, Method
from motionrft.finetune.method_options import read_method
from motionrft.finetune.reward_timestep import CLEAN
from motionrft.finetune.settings import cell_settings
from motionrft.finetune.setup import FineTuning
from motionrft.finetune.shapes import tuning_shapes
from motionrft.finetune.trajectory import Sample
from motionrft.forecast import table as keys
from motionrft.forecast.table import (
    BackboneCounts,
    Calls,
    Samples,
    ScoreCounts,
    StageCounts,
    Table,
)
from motionrft.options import read_options
from motionrft.reward import shapes as reward_shapes
from motionrft.training.loop import autocast

DRAWS = 200  # trajectories of a method whose steps are drawn


def fill(table: Table, run: dict[str, Any]) -> None:
    """Counts what the table lacks of a resolved run."""
    cells = {(cell["backbone"], cell["method"]) for cell in run["matrix"]}
    for backbone, method in sorted(cells):
        settings = cell_settings(run, backbone, method)
        network = keys.backbone_key(run, backbone, settings)
        score = keys.score_key(run, backbone, method)
        if not (table.has("backbones", network) and table.has("scores", score)):
            step, scoring = cell_counts(run, backbone, method)
            table.put("backbones", network, backbone, step)
            table.put("scores", score, f"{backbone} {method}", scoring)
        calls = keys.calls_key(run, backbone, method)
        if not table.has("calls", calls):
            entry = run["backbones"][backbone]
            steps, guided = entry["sampler"]["steps"], keys.guided(entry)
            walked = read_method(run["methods"][method], steps, entry["reward_form"])
            walks = method_calls(walked, guided, bool(settings.kl), bool(settings.data_loss))
            table.put("calls", calls, f"{method}, {steps} steps", walks)
    for name, entry in run["backbones"].items():
        for stage in entry["pretrain"]:
            key = keys.stage_key(run, name, stage)
            if not table.has("stages", key):
                table.put("stages", key, f"{name} {stage}", stage_counts(run, name, stage))
    for stage in run["reward"]["stages"]:
        key = keys.reward_stage_key(run, stage)
        if not table.has("stages", key) and (counts := reward_stage_counts(run, stage)):
            table.put("stages", key, f"reward {stage}", counts)
    key = keys.samples_key(run)
    if not table.has("samples", key):
        table.put("samples", key, run["evaluate"].get("protocol", "sound"), evaluated(run))


def cell_counts(
    run: dict[str, Any], backbone: str, method: str
) -> tuple[BackboneCounts, ScoreCounts]:
    """Of one denoising step and of one scoring of a cell, at its batch size."""
    rows = cell_settings(run, backbone, method).batch_size
    tuning = tuning_shapes(run, backbone, method, rows)
    measured = measure(tuning, rows)
    weights = sum(tensor.nbytes for tensor in _tensors(tuning.backbone))
    trained = sum(parameter.nbytes for parameter in tuning.trained)
    plain = backbone_shapes.backbone_shapes(run, backbone)  # without adapters
    file = sum(value.nbytes for value in plain.state_dict().values())
    counts = BackboneCounts(
        weights,
        trained,
        file,
        trained if tuning.adapters else file,
        *_without_gradient(tuning, rows),
        measured.live,
        measured.bytes.held,
        measured.bytes.step,
        measured.bytes.x,
    )
    reward = sum(tensor.nbytes for tensor in _tensors(tuning.reward))
    return counts, ScoreCounts(reward, measured.bytes.score, measured.scoring)


def _tensors(module: Any) -> list[torch.Tensor]:
    return [*module.parameters(), *module.buffers()]


def _without_gradient(tuning: FineTuning, many: int) -> tuple[WorkLine, Line]:
    """Work and peak bytes of one denoising step of a walk where nothing is live."""
    few = max(1, many // 2)
    works, peaks = [], []
    for rows in (few, many):
        batch = longest(tuning.batch(0), tuning, rows)
        x = torch.empty(rows, *batch.shape, device="meta")
        with torch.no_grad():
            tuning.sampler.output(0, x, batch.condition)  # what is found once for all steps
            with counted() as operations:
                tuning.sampler.output(0, x, batch.condition)
        works.append(operations.work)
        peaks.append(operations.peak)
    work = WorkLine.through(few, works[0], many, works[1])
    return work, Line.through(few, peaks[0], many, peaks[1])


class _DryWalk:
    """A walk that counts its steps and takes none."""

    def __init__(self, steps: int, seed: int):
        nothing = torch.zeros(())
        columns = torch.zeros(steps + 1)
        self.sampler = SimpleNamespace(table=SimpleNamespace(signal=columns, noise=columns))
        self.levels, self.rng, self.progress = [CLEAN] * (steps + 1), random.Random(seed), 1.0
        self.noise = lambda i: nothing
        self.pretraining = lambda: nothing
        self.forwards = self.live = 0.0

    def holding(self, held: str) -> _DryWalk:
        """What is held where a step is cut costs nothing."""
        del held
        return self

    def run(self, last: int, live: Any, *, start: int = 0, **_: Any) -> Sample:
        nothing = torch.zeros(())
        self.forwards += last + 1 - start
        self.live += len(set(live) & set(range(start, last + 1)))
        return Sample(nothing, last, nothing, lambda gradient: None)


def method_calls(method: Method, guided: bool, kl: bool, data: bool = False) -> Calls:
    """As the method says of itself, or means over trajectories drawn late in training. kl: every live step is asked of the
    pre-trained model too. data: every update learns from recorded motions too."""
    asked = method.asked(guided) or _walked(method, guided)
    again = asked.live if kl and not method.needs_reference else 0.0
    updates = method.updates_per_trajectory()
    learnt = updates * conditional_call(guided) if data else 0.0
    return Calls(
        asked.forwards + again + learnt,
        asked.live + learnt,
        asked.scorings,
        updates,
        method.most_live(),
        asked.states,
        not method.differentiates,
        method.needs_reference,
    )


def _walked(method: Method, guided: bool) -> Asked:
    forwards = live = scorings = 0.0
    for seed in range(DRAWS):
        walk = _DryWalk(method.steps, seed)
        for sample in method.samples(walk):  # type: ignore[arg-type]
            assert isinstance(sample, Sample)
            scorings += sample.scored
            if not sample.scored:
                call = conditional_call(guided)  # its own loss
                walk.forwards, walk.live = walk.forwards + call, walk.live + call
        forwards, live = forwards + walk.forwards, live + walk.live
    return Asked(forwards / DRAWS, live / DRAWS, scorings / DRAWS)


def stage_counts(run: dict[str, Any], name: str, stage: str) -> StageCounts:
    """Of one update of a pre-training stage, in the precision it is trained in."""
    network = backbone_shapes.stage_shapes(run, name, stage)
    train = run["backbones"][name]["pretrain"][stage]
    with counted() as operations:
        with autocast(train.get("precision", "fp32"), "meta"):
            losses = backbone_shapes.stage_losses(run, name, stage, network, train["batch_size"])
        losses["loss"].backward()
    trained = sum(parameter.nbytes for parameter in network.stage_parameters(stage))
    weights = sum(tensor.nbytes for tensor in _tensors(network))
    # gradients are in the peak; two moments, and the average
    kept = weights + (2 + bool(train.get("ema"))) * trained
    return StageCounts(operations.peak + kept, operations.work)


def reward_stage_counts(run: dict[str, Any], stage: str) -> StageCounts | None:
    """Of one update of a stage of the reward, in the precision it is trained in; None of a stage of a kind of its own."""
    objective = reward_shapes.stage_shapes(run, stage)
    if objective is None:
        return None
    train = run["reward"]["stages"][stage]["train"]
    with counted() as operations:
        with autocast(train.get("precision", "fp32"), "meta"):
            losses = reward_shapes.stage_losses(run, objective, train["batch_size"])
        losses["loss"].backward()
    learns = [entry for entry in objective.parameters() if entry.requires_grad]
    kept = sum(entry.nbytes for entry in _tensors(objective)) + 2 * sum(e.nbytes for e in learns)
    return StageCounts(operations.peak + kept, operations.work)


def evaluated(run: dict[str, Any]) -> Samples:
    """What one evaluation generates under the run's protocol."""
    settings = read_options(EvaluateSettings, run["evaluate"], where="evaluate", field="evaluate")
    rules = settings.rules()
    plan = rules.multimodality
    beside = plan.replications * plan.texts * plan.repeats
    return Samples(rules.limit, beside)
