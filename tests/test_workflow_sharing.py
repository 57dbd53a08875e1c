"""What a run takes from the run that its `base` names."""

import os
import re
from pathlib import Path

import pytest

from motionrft.configuration import dump, load_run, merge
from motionrft.configuration.files import ROOT
from motionrft.errors import InputError
from motionrft.workflow_plan import Plan
from motionrft.workflow_sharing import base_plan, job_counts, jobs, take, taken, told

CI = load_run(ROOT / "config" / "ci.yaml")
UNDECLARED = "features/kinematic.npy"
BESIDE = "reward/scores.calibration.parquet"


@pytest.fixture(autouse=True)
def base(tmp_path, monkeypatch):
    """The folder of a finished run `ci`: each file holds its own name."""
    monkeypatch.chdir(tmp_path)
    folder = Path("results/ci")
    for job in jobs(Plan(CI)):
        for name in job.outputs:
            path = folder / name if Path(name).suffix else folder / name / "inside.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
    for name in (UNDECLARED, BESIDE):
        (folder / name).write_text(name)
    (folder / "text/toy/.snakemake_timestamp").touch()
    (folder / "config.yaml").write_text(dump(CI))
    os.utime(folder / "config.yaml", (1, 1))
    (folder / "report.html").touch()
    return folder


def plan(**changes):
    return Plan(merge(CI, {"name": "other", "base": "ci", **changes}))


def shared_of(own):
    return taken(own, base_plan(own.run))


def rules(shared):
    return {job.rule for job in shared}


EVERY = rules(jobs(Plan(CI)))


def test_equal_settings_take_everything():
    own = plan()
    assert rules(shared_of(own)) == EVERY
    assert [job.outputs for job in shared_of(own)] == [job.outputs for job in jobs(own)]
    assert set(job_counts(own)) == {"tables", "figures", "page"}


def test_a_run_is_counted_from_any_folder_with_its_base_beside_it(base, tmp_path, monkeypatch):
    runs = base.resolve().parent
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert set(job_counts(plan(), runs)) == {"tables", "figures", "page"}
    with pytest.raises(InputError, match=r"results/ci is no finished run"):
        job_counts(plan())


def test_another_learning_rate_fine_tunes_and_evaluates_what_it_has_tuned():
    own = plan(finetune={"lr": 1e-3})
    shared = shared_of(own)
    assert rules(shared) == EVERY - {"finetune", "analyse"}
    evaluated = [job.outputs[0] for job in shared if job.rule == "evaluate"]
    assert evaluated == ["evaluate/mdm/base/seed0/replications.parquet"]
    left = job_counts(own)
    assert left == {
        "finetune": 2, "analyse": len(own.analyses()), "evaluate": 2, "tables": 1, "figures": 1, "page": 1
    }  # fmt: skip


def test_another_corpus_takes_nothing():
    assert shared_of(plan(corpus={"seed": 1})) == []


def test_what_reads_something_new_is_new():
    shared = rules(shared_of(plan(evaluator={"train": {"steps": 3}})))
    assert shared == EVERY - {
        "train_evaluator", "train_judge", "evaluate_reward", "finetune", "evaluate", "evaluate_real"
    }  # fmt: skip
    assert {"sample", "train_reward", "pretrain"} <= shared
    shared = rules(shared_of(plan(backbones={"mdm": {"sampler": {"steps": 7}}})))
    assert "pretrain" in shared
    assert not {"sample", "reward_data", "finetune", "evaluate"} & shared


def test_other_weights_of_the_reward_are_scored_anew():
    shared = rules(shared_of(plan(reward={"weights": {"m2m": 0.125}})))
    assert {"train_reward", "evaluate_real"} <= shared
    assert not {"evaluate_reward", "finetune"} & shared


def test_a_file_that_is_gone_is_made_with_all_that_reads_it(base):
    (base / "reward/semantic.safetensors").unlink()
    shared = shared_of(plan())
    outputs = {name for job in shared for name in job.outputs}
    assert "reward/semantic.safetensors" not in outputs
    assert not {"finetune", "evaluate_reward"} & rules(shared)
    assert {"pretrain", "train_evaluator"} <= rules(shared)


def test_only_a_finished_run_is_a_base(base):
    assert base_plan({"name": "alone"}) is None
    assert shared_of(Plan(CI)) == []
    with pytest.raises(InputError, match="the run itself"):
        base_plan({"name": "ci", "base": "ci"})
    os.utime(base / "config.yaml")
    os.utime(base / "report.html", (1, 1))
    with pytest.raises(InputError, match=r"base.*planned anew.*run ci to its end"):
        base_plan(plan().run)
    (base / "report.html").unlink()
    with pytest.raises(InputError, match="no finished run"):
        base_plan(plan().run)


def test_links_lead_to_the_base_and_leave_it_as_it_was(base):
    before = {path: (path.read_text(), path.stat().st_mtime_ns) for path in base.rglob("*.*")}
    own = plan(finetune={"lr": 1e-3})
    count = take(own)
    folder = Path("results/other")
    links = [path for path in folder.rglob("*") if path.is_symlink()]
    assert len(links) == count
    for path in links:
        assert not os.path.isabs(os.readlink(path))
        assert path.read_text() == (base / path.relative_to(folder)).read_text()
    names = {str(path.relative_to(folder)) for path in links}
    made = {"text/toy/inside.json", "backbones/mdm/denoiser.safetensors"}
    assert {UNDECLARED, BESIDE, *made} <= names
    assert not [name for name in names if name.startswith("finetune") or "snakemake" in name]
    (folder / "corpus/corpus.json").unlink()
    (folder / "corpus/corpus.json").write_text("of another day")
    (folder / "evaluator/history.parquet").write_text("of an evaluator that was trained here")
    assert take(own) == count
    assert not (folder / "evaluator/history.parquet").exists()
    assert (folder / "corpus/corpus.json").is_symlink()
    after = {path: (path.read_text(), path.stat().st_mtime_ns) for path in base.rglob("*.*")}
    assert after == before


def test_a_base_of_another_version_is_one_line(base):
    older = {key: value for key, value in CI.items() if key != "cells"}
    (base / "config.yaml").write_text(dump(older))
    os.utime(base / "config.yaml", (1, 1))
    with pytest.raises(InputError, match=r"results/ci was made by another version: .* no 'cells'"):
        shared_of(plan())


def test_what_a_base_gives_is_told(base):
    def said(own):
        return told(own, base_plan(own.run), shared_of(own))

    assert re.fullmatch(r"base: \d+ of \d+ jobs are taken from results/ci", said(plan(finetune={"lr": 1e-3})))  # fmt: skip
    assert said(plan(corpus={"seed": 1})).endswith("results/ci: corpus.seed is 1 here, 0 there")
    (base / "corpus/motions.npy").unlink()
    assert said(plan()).endswith("its files are not in results/ci")
