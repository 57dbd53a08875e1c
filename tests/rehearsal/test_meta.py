"""The paper's run, rehearsed on the meta device: every network at its full width, every loss, every walk.

Nothing is computed, but every operation is called with the shapes that a card would see. A tensor left on another
device is an error here as it is there, and so is a look at a value inside a walk. Samplers take three steps.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from benchmarks.counted import with_every_method
from motionrft.backbones import shapes as backbone_shapes
from motionrft.configuration import load_run
from motionrft.configuration.files import ROOT
from motionrft.counting.operations import counted
from motionrft.finetune.memory_plan import measure
from motionrft.finetune.settings import cell_settings
from motionrft.finetune.setup import FineTuning
from motionrft.finetune.shapes import tuning_shapes
from motionrft.finetune.training_free import TrainingFree
from motionrft.forecast import table as keys
from motionrft.forecast.count import cell_counts, reward_stage_counts, stage_counts
from motionrft.forecast.table import Table

PAPER = ROOT / "config" / "humanml3d.yaml"
RUN = load_run(PAPER)
STEPS, ROWS = 3, 8
FEW = 3  # of the equal layers: a walk calls the same operations on the same shapes
CELLS = [(cell["backbone"], cell["method"]) for cell in RUN["matrix"]]
# methods that take part only where a run names them, one of each kind, where they are defined
NAMED = ("ddpo", "flow-grpo", "dpo", "sopo", "pretraining", "reward-guidance", "best-of-4")
ALL = with_every_method(PAPER)
RIVALS = [(cell["backbone"], cell["method"]) for cell in ALL["matrix"] if cell["method"] in NAMED]
STAGES = [(name, stage) for name, entry in RUN["backbones"].items() for stage in entry["pretrain"]]


@cache
def short_run(layers: int = 9) -> dict[str, Any]:
    """The run with samplers of three steps; HY-Motion, which has 27 equal layers, with three, and of the others at most
    `layers` of their eight or nine."""
    run = with_every_method(PAPER)
    for entry in run["backbones"].values():
        sampler = entry["sampler"]
        sampler["steps"] = min(sampler["steps"], STEPS)
        if sampler.get("respacing"):
            sampler["respacing"] = f"ddim{STEPS}"
        network = entry["network"]
        network["layers"] = 3 if network["layers"] > 9 else min(network["layers"], layers)
    for name, few in (("dpo", "epochs"), ("sopo", "epochs"), ("best-of-4", "n")):
        run["methods"][name]["options"][few] = 2
    for name in ("dpo", "sopo"):
        run["methods"][name]["options"]["levels"] = 1
    return run


def walk_once(tuning: FineTuning) -> None:
    """A whole trajectory, its updates left out."""
    batch = tuning.batch(0)
    objective = tuning.objective(batch)
    for lesson in tuning.method.samples(tuning.walk(batch, 0)):
        lesson.learn(objective)
        del lesson


def trajectory_peak(tuning: FineTuning) -> int:
    """Peak bytes of `walk_once`, beside gradients that are there already."""
    for parameter in tuning.trained:
        parameter.grad = torch.zeros_like(parameter)
    with counted() as operations:
        walk_once(tuning)
        return operations.peak


@pytest.mark.parametrize(("backbone", "method"), CELLS)
def test_every_cell_walks(backbone, method):
    tuning = tuning_shapes(short_run(FEW), backbone, method, ROWS)
    with counted():
        walk_once(tuning)
    reached = [parameter for parameter in tuning.trained if parameter.grad is not None]
    assert len(reached) > len(tuning.trained) / 4


@pytest.mark.parametrize(("backbone", "method"), RIVALS)
def test_every_rival_walks_or_samples(backbone, method):
    tuning = tuning_shapes(short_run(FEW), backbone, method, ROWS)
    batch = tuning.batch(0)
    if isinstance(tuning.method, TrainingFree):
        with counted(), torch.no_grad():
            x = tuning.method.sample(tuning.sampler, tuning.levels, tuning.objective(batch))
        assert x.shape == (ROWS, *batch.shape)
        return
    with counted():
        walk_once(tuning)
    assert sum(parameter.grad is not None for parameter in tuning.trained) > len(tuning.trained) / 4


# the recomputed form keeps no graph, whatever the network: one is enough where time is short
@pytest.mark.parametrize(
    ("backbone", "form"),
    [
        *((name, "plain") for name in RUN["backbones"] if name != "motionlcm-1step"),
        ("mdm", "exact"),
        *(
            pytest.param(name, "exact", marks=pytest.mark.slow)
            for name in RUN["backbones"]
            if name not in ("mdm", "motionlcm-1step")
        ),
    ],
)
def test_the_peak_of_a_trajectory_is_the_counted_one(backbone, form):
    tuning = tuning_shapes(short_run(), backbone, "draft-50", ROWS)
    settings = replace(tuning.settings, batch_size=ROWS, activations=form)
    tuning = replace(tuning, settings=settings)
    gradients = sum(parameter.nbytes for parameter in tuning.trained)
    needed = measure(tuning_shapes(short_run(), backbone, "draft-50", 2 * ROWS), 2 * ROWS).bytes
    peak = trajectory_peak(tuning)
    expected = needed.needed(form, ROWS, ROWS)
    # gradients of one step exist beside the sum of the others'
    assert 0.95 * expected <= peak <= 1.05 * expected + gradients


@pytest.mark.parametrize(("backbone", "stage"), STAGES)
def test_every_stage_of_training_runs_at_full_size(backbone, stage):
    network = backbone_shapes.stage_shapes(RUN, backbone, stage)
    rows = RUN["backbones"][backbone]["pretrain"][stage]["batch_size"]
    losses = backbone_shapes.stage_losses(RUN, backbone, stage, network, rows)
    losses["loss"].backward()
    assert any(parameter.grad is not None for parameter in network.stage_parameters(stage))
    assert all(value.is_meta and value.shape == () for value in losses.values())
    if backbone != "hymotion":  # seconds
        key = keys.stage_key(RUN, backbone, stage)
        assert_counted("stages", key, stage_counts(RUN, backbone, stage))


def assert_counted(kind: str, key: str, counts: Any) -> None:
    """As config/counted.json has it; otherwise: python -m benchmarks.counted --afresh"""
    fresh = Table()
    fresh.put(kind, key, "", counts)
    found, stored = fresh.entries[kind][key], Table.read().entries[kind][key]
    for name in found.keys() - {"name"}:
        assert stored[name] == pytest.approx(found[name], rel=1e-3, abs=1e4), name


@pytest.mark.parametrize("stage", RUN["reward"]["stages"])
def test_every_stage_of_the_reward_runs_at_full_size(stage):
    key = keys.reward_stage_key(RUN, stage)
    assert_counted("stages", key, reward_stage_counts(RUN, stage))


@pytest.mark.parametrize(
    "backbone", ["mdm", *(pytest.param(name, marks=pytest.mark.slow) for name in RUN["backbones"])]
)
def test_the_shipped_counts_are_those_of_the_code(backbone):
    settings = cell_settings(RUN, backbone, "motionrft")
    step, score = cell_counts(RUN, backbone, "motionrft")
    assert_counted("backbones", keys.backbone_key(RUN, backbone, settings), step)
    assert_counted("scores", keys.score_key(RUN, backbone, "motionrft"), score)
