"""`finetune.memory: auto`: what it picks, what it counts, and that the update does not depend on it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from motionrft.counting.costs import Line
from motionrft.errors import InputError
from motionrft.finetune.analysis.memory import graph_bytes
from motionrft.finetune.loop import Training
from motionrft.finetune.memory_choice import GIB, SHARE, Counted, choose
from motionrft.finetune.memory_plan import count, free_bytes
from motionrft.finetune.objective import Objective
from motionrft.finetune.results import cost_of
from motionrft.finetune.settings import Settings
from motionrft.metrics.training_record import wide
from tests.same import assert_same

from .toy_run import METHODS, toy_run

# a row: 10 bytes of graph a step, 12 at a step's peak, 4 of scoring, 1 of x; ten live steps
COUNTED = Counted(Line(0, 10), Line(0, 12), Line(0, 4), Line(0, 1), 10)


def settings(**changes) -> Settings:
    return Settings.read({"updates": 1, "batch_size": 64, **changes})


@pytest.mark.parametrize(
    ("free", "changes", "expected"),
    [
        (6656, {}, ("plain", 1, 64)),  # 9 * 640 + 640 + 4 * 64
        (6655, {}, ("plain", 1, 32)),  # the scoring is split first
        (3328, {}, ("plain", 2, 32)),
        (1664, {}, ("plain", 4, 16)),  # the fewest rows of a plain graph
        (1663, {}, ("exact", 1, 64)),  # 10 * 64 + 12 * 64
        (1663, {"train_dropout": True}, ("checkpoint", 1, 64)),
        (1407, {}, ("exact", 2, 32)),
        (1, {}, ("exact", 64, 1)),
        (10**6, {"activations": "exact", "slices": 4}, ("exact", 4, 16)),
        (10**6, {"micro_batch": 8}, ("plain", 1, 8)),
    ],
)  # fmt: skip
def test_the_first_form_that_fits_is_picked(free, changes, expected):
    plan = choose(COUNTED, settings(**changes), free)
    assert (plan.activations, plan.slices, plan.micro_batch) == expected
    assert plan.fits == (free > 1)
    assert plan.applied(settings(**changes)).slices == expected[1]


def test_processes_share_a_batch():
    assert choose(COUNTED, settings(), 1664, processes=4).slices == 1


@pytest.mark.parametrize("method", ["draft", "easytune", "refl", "drtune", "chain"])
def test_counted_bytes_are_those_of_a_trajectory(method):
    run = toy_run(METHODS[method], {"updates": 1})
    rows = run.settings.batch_size
    needed = count(run).needed("plain", rows, rows)
    # the longest prompt of the batch has the backbone's greatest length: the shapes are the same
    assert graph_bytes(run)["bytes"].max() == pytest.approx(needed, rel=0.12)
    exact = replace(run, settings=replace(run.settings, activations="exact"))
    assert count(run).needed("exact", rows, rows) >= 0.9 * graph_bytes(exact)["bytes"].max()


def limit(run, needed: float) -> float:
    """The `memory_gib` that leaves so many bytes free."""
    stays = free_bytes(replace(run, settings=replace(run.settings, memory_gib=1.0)))
    return 1.0 + (needed - stays) / SHARE / GIB


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("method", METHODS)
def test_the_update_does_not_depend_on_what_is_picked(tmp_path, method):
    plain = toy_run(METHODS[method], {"updates": 4})
    Training(plain, tmp_path / "plain").run()
    picked = toy_run(METHODS[method], {"updates": 4})
    picked.settings = replace(picked.settings, memory_gib=limit(picked, 2500))
    training = Training(picked, tmp_path / "picked")
    record = training.run()
    assert training.plan.slices > 1
    assert training.plan.activations == "exact"
    for a, b in zip(picked.trained, plain.trained, strict=True):
        assert_same(a, b)
    memory = cost_of(training, record)["memory"]
    assert (memory["form"], memory["slices"]) == ("exact", training.plan.slices)
    assert memory["plan"]["plain_bytes"] > memory["plan"]["free_bytes"]


@pytest.mark.parametrize("method", METHODS)
def test_slices_hold_one_graph_at_a_time(tmp_path, method):
    peaks, calls = [], []
    for slices in (1, 3):
        run = toy_run(METHODS[method], {"trajectories": 1, "slices": slices})
        record = wide(Training(run, tmp_path / str(slices)).run())
        peaks.append(record["peak_bytes"].max())
        calls.append(record[["forwards", "backwards", "scorings", "flops"]].iloc[-1].to_numpy())
    assert peaks[1] < 0.5 * peaks[0]
    assert calls[0] == pytest.approx(calls[1])


def test_nothing_is_picked_without_a_limit_or_with_fixed_memory(tmp_path):
    run = toy_run(METHODS["draft"], {"updates": 1})
    assert Training(run, tmp_path / "a").plan is None
    fixed = replace(run, settings=replace(run.settings, memory_gib=1.0, memory="fixed"))
    assert Training(fixed, tmp_path / "b").plan is None


def test_a_resumed_run_may_be_cut_differently(tmp_path):
    run = toy_run(METHODS["draft"], {"updates": 4, "checkpoint_minutes": 0, "memory_gib": 1.0})
    Training(run, tmp_path / "run").run()
    training = Training(run, tmp_path / "run")
    training.tuning = replace(run, settings=replace(run.settings, slices=2))
    assert training.resume()


def test_a_negative_limit_is_refused():
    with pytest.raises(InputError, match="memory_gib"):
        settings(memory_gib=-1.0)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("method", METHODS)
def test_out_of_memory_repeats_the_trajectory_in_smaller_slices(tmp_path, method):
    """The card holds at most three of six rows, and is found too small in the middle of a trajectory."""
    settings = {"trajectories": 3, "ema": 0.5, "slices": 2, "train_dropout": False}
    expected, found = (toy_run(METHODS[method], settings) for _ in range(2))
    found.settings = replace(found.settings, slices=1)
    score, calls = Objective.score, []

    def card(objective, *arguments):
        calls.append(len(objective.batch))
        if len(calls) > 2 and len(objective.batch) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return score(objective, *arguments)

    whole = Training(expected, tmp_path / "expected")
    record = wide(whole.run())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Objective, "score", card)
        training = Training(found, tmp_path / "found")
        own = wide(training.run())
    assert 6 in calls
    assert training.tuning.settings.slices == 2
    for a, b in zip(found.trained, expected.trained, strict=True):
        assert_same(a, b)
    same = ["update", "trajectory", "step", "reward", "lr", "forwards", "backwards", "flops"]
    for column in same:
        assert_same(*(torch.tensor(table[column].to_numpy("float64")) for table in (own, record)))


def test_other_errors_and_fixed_memory_end_the_job(tmp_path, monkeypatch):
    def fails(*_):
        raise error

    monkeypatch.setattr(Objective, "score", fails)
    run = toy_run(METHODS["draft"], {"updates": 1, "memory": "fixed"})
    error = torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(torch.OutOfMemoryError):
        Training(run, tmp_path / "a").run()
    run = toy_run(METHODS["draft"], {"updates": 1})
    training = Training(run, tmp_path / "b")
    with pytest.raises(torch.OutOfMemoryError):
        training.run()
    assert (training.tuning.settings.slices, training.tuning.settings.activations) == (6, "exact")
    error = RuntimeError("shapes differ")
    with pytest.raises(RuntimeError, match="shapes differ"):
        Training(run, tmp_path / "c").run()
