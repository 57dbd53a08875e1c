"""`base` and `sweep` in Snakemake's own plan."""

import re

import pytest
import yaml

from motionrft.configuration import ROOT, load_run, resolve
from motionrft.configuration.files import read_yaml
from motionrft.workflow_plan import Plan
from motionrft.workflow_sharing import jobs
from tests.workflow.snakemake_run import planned, pretend_finished, snakemake

BLOCK = re.compile(r"^(?:local)?rule (\w+):\n((?:    .+\n)+)", re.M)


def files(block: str, key: str) -> frozenset[str]:
    found = re.search(rf"^    {key}: (.*)$", block, re.M)
    return frozenset(found[1].split(", ")) if found else frozenset()


@pytest.mark.parametrize(
    "changes",
    [
        {"analyse": {"rows": 4, "switches": "all"}},
        {"bases": "own", "seeds": [0, 3], "tune": {"rates": [1e-5, 1e-4]}},
    ],
    ids=["switches", "own bases and rates"],
)
def test_the_jobs_are_those_that_snakemake_plans(changes, tmp_path):
    """Rules, inputs and outputs."""
    run = {**read_yaml(ROOT / "config" / "ci.yaml"), **changes}
    config = tmp_path / "run.yaml"
    config.write_text(yaml.safe_dump(run), encoding="utf-8")
    done = snakemake(tmp_path, config, "--dry-run")
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    seen = {
        (rule, files(block, "output"), files(block, "input")) for rule, block in BLOCK.findall(text)
    }
    expected = {
        (
            job.rule,
            frozenset(f"results/ci/{name}" for name in job.outputs),
            frozenset(f"results/ci/{name}" for name in job.inputs),
        )
        for job in jobs(Plan(resolve(run)))
    }
    apart = {"records", "tables", "figures", "page", "all"}
    assert {job for job in seen if job[0] not in apart} == expected


def test_a_second_run_plans_what_differs_and_takes_the_rest(tmp_path):
    pretend_finished(tmp_path, "ci")
    options = ("--config", "name=second", "base=ci", "finetune={lr: 1e-3}")
    analyses = len(Plan(load_run(ROOT / "config" / "ci.yaml")).analyses())
    assert planned(snakemake(tmp_path, "ci", "--dry-run", *options)) == {
        "take": 1, "finetune": 2, "evaluate": 2, "analyse": analyses,
        "records": 1, "tables": 1, "figures": 1, "page": 1,
    }  # fmt: skip
    target = "results/second/reward/semantic.safetensors"
    done = snakemake(tmp_path, "ci", "--cores", "1", *options, "--", target)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / target).is_symlink()
    left = planned(snakemake(tmp_path, "ci", "--dry-run", *options))
    assert "take" not in left
    assert left["finetune"] == 2
    assert planned(snakemake(tmp_path, "ci", "--dry-run")) == {}
    (tmp_path / "results/ci/reward/semantic.safetensors").write_text("trained again")
    assert planned(snakemake(tmp_path, "ci", "--dry-run", *options))["take"] == 1


def test_a_base_that_is_not_there_is_one_line(tmp_path):
    done = snakemake(tmp_path, "ci", "--dry-run", "--config", "name=second", "base=nobody")
    assert done.returncode != 0
    assert "results/nobody is no finished run. Fix: run nobody first" in done.stdout + done.stderr


def test_a_sweep_is_planned_as_cells(tmp_path):
    options = ("--config", "sweep={finetune.lr: [1e-5, 3e-5]}")
    jobs_ = planned(snakemake(tmp_path, "ci", "--dry-run", *options))
    plain = Plan(load_run(ROOT / "config" / "ci.yaml")).job_counts()
    assert jobs_["finetune"] == 2 * plain["finetune"]
    target = "results/ci/finetune/mdm/draft-10-lr3e-5/seed0/model.safetensors"
    done = snakemake(tmp_path, "ci", "--dry-run", *options, "--", target)
    assert planned(done)["finetune"] == 1
