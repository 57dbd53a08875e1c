"""The DAG itself: every run file plans, quickly and without findings; a change runs what depends on it."""

import os
import re
import shlex
import subprocess
import sys

import pytest

from motionrft.configuration import ROOT, load_run
from motionrft.reporting.page.dag import FEEDS
from tests.workflow.snakemake_run import CI, planned, pretend_finished, snakemake

RUNS = sorted(path.stem for path in (ROOT / "config").glob("*.yaml"))
MOCAP = ("--config", "mocap_dir=/a folder/日本")
NEEDED = dict.fromkeys(("mocap", "mocap-few", "mocap-full"), MOCAP)


@pytest.mark.parametrize("run", RUNS)
def test_every_run_file_plans(run, tmp_path):
    jobs = planned(snakemake(tmp_path, run, "--dry-run", *NEEDED.get(run, ())))
    assert jobs["corpus"] == jobs["features"] == jobs["evaluate_real"] == 1
    assert jobs["evaluate"] > jobs["finetune"] > 0


def test_the_default_run_is_the_toy_run(tmp_path):
    command = [sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile", "-d", tmp_path, "-n"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert "results/toy/report.html" in done.stdout + done.stderr


def test_the_papers_matrix_plans_in_seconds_and_in_hundreds_of_jobs(tmp_path):
    # the least disturbed of three: tests beside it take from the same core
    done, spent = min((plan(tmp_path, "humanml3d") for _ in range(3)), key=lambda made: made[1])
    jobs = planned(done)
    # 8 backbones x 9 methods x 3 seeds, one of them self-refined too; the replications of a model are one job
    assert jobs["finetune"] == 219
    assert jobs["evaluate"] >= 219 + 8
    assert sum(jobs.values()) < 600
    assert spent < 5 * slowness(tmp_path)


def plan(folder, run):
    """A dry run, and the processor seconds it took."""
    began = os.times().children_user
    done = snakemake(folder, run, "--dry-run", "--quiet", "rules")
    return done, os.times().children_user - began


def slowness(folder) -> float:
    """How slow this machine is now at what is measured, against one that plans the smallest run in 2.2 s."""
    return max(plan(folder, "ci")[1] / 2.2, 1.0)


def test_lint_and_format_find_nothing(tmp_path):
    done = snakemake(tmp_path, "toy", "--lint")
    assert done.returncode == 0, done.stdout
    command = [sys.executable, "-m", "snakefmt", "--check", "Snakefile", "workflow"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_every_computing_rule_has_all_its_parts():
    text = "\n".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    rules = re.split(r"^ *rule\b", text, flags=re.M)[1:]
    # `plan` and the single tables compute nothing that lasts, `take` links what another run has computed
    lasting = [rule for rule in rules if "shell:" in rule and "    output:" in rule]
    computing = [rule for rule in lasting if not rule.startswith(" take:")]
    assert len(computing) == len(lasting) - 1
    assert len(computing) >= 16
    for rule in computing:
        for part in ("log:", "benchmark:", "conda:", "threads:", "resources:", "params:"):
            assert f"    {part}" in rule, (rule.splitlines()[0], part)
        assert "python -m motionrft " in rule


TARGETS = {
    "tables": {"tables": 1, "figures": 0, "page": 0},
    "figures": {"tables": 0, "figures": 1, "page": 0},
    "report": {"page": 1},
    "table_finetuning": {"table_finetuning": 1, "corpus": 0, "tables": 0},
    # the other stages of the reward, and what they learn from, are no concern of a method that weighs none of them
    "results/ci/finetune/mdm/easytune/seed0/model.safetensors": {"train_reward": 1, "sample": 0},
    "backbone_mdm": {"pretrain": 1, "evaluate": 3, "tables": 0},
    "method_easytune": {"finetune": 1, "evaluate": 1},
}


@pytest.mark.parametrize("target", TARGETS)
def test_targets_by_name(target, tmp_path):
    jobs = planned(snakemake(tmp_path, "ci", "--dry-run", "--", target))
    for rule, count in TARGETS[target].items():
        assert jobs.get(rule, 0) == count


def test_a_table_is_drawn_from_what_is_there_and_says_how_to_fill_it(tmp_path):
    arguments = ("--cores", "1", "--config", "seeds=[0, 3]", "--", "table_finetuning")
    done = snakemake(tmp_path, "ci", *arguments)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results/ci/tables/finetuning.csv").exists()
    assert not (tmp_path / "results/ci/corpus").exists()
    [line] = [line for line in done.stdout.splitlines() if "easytune" in line]
    words = shlex.split(line[line.index("snakemake") :])
    jobs = planned(snakemake(tmp_path, "ci", "--dry-run", *words[words.index("--config") :]))
    assert jobs["finetune"] == jobs["evaluate"] == 2  # the two seeds


LR = "override={methods: {easytune: {lr: 0.01}}}"
REPORTING = {"records": 1, "tables": 1, "figures": 1, "page": 1}
CHANGES = {
    "nothing": ((), {}),
    # one cell, and the four analyses of single steps that are made with this method
    "a method's learning rate": ((LR,), {"finetune": 1, "evaluate": 1, "analyse": 4, **REPORTING}),
    "the reward": (
        ("reward={network: {layers: 2}}",),
        {
            "train_reward": 4,
            "evaluate_reward": 1,
            "finetune": 2,
            "evaluate": 2,
            "analyse": 5,
            **REPORTING,
        },
    ),
    "the judge": (
        ("evaluator={judge: {seed: 2}}",),
        {"train_judge": 1, "finetune": 2, "evaluate": 2, **REPORTING},
    ),
    "a method's label": (("override={methods: {easytune: {label: E}}}",), {"tables": 1, "page": 1}),
    "the comparisons that count": (("compare={metrics: [FID]}",), {"tables": 1, "page": 1}),
    "memory": (("resources={finetune: {mem_mb: 7000}}", "device=cpu"), {}),
    "one more seed": (("seeds=[0,1]",), {"finetune": 2, "evaluate": 2, **REPORTING}),
}


def test_own_bases_and_tuned_rates_are_jobs_of_their_own(tmp_path):
    own = ("bases=own", "seeds=[0, 1]", "tune={rates: [1e-5, 1e-4]}")
    jobs = planned(snakemake(tmp_path, "ci", "--dry-run", "--config", *own))
    shared = planned(snakemake(tmp_path, "ci", "--dry-run", "--config", "seeds=[0, 1]"))
    assert jobs["tune"] == 2  # a backbone with two methods
    assert jobs["pretrain_again"] >= 1
    assert jobs["finetune"] == shared["finetune"]
    assert jobs["evaluate"] == shared["evaluate"] + len(load_run(CI)["backbones"])
    assert "pretrain_again" not in shared


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    pretend_finished(folder, "ci")
    return folder


def test_switches_run_only_when_asked(tmp_path):
    quiet = planned(snakemake(tmp_path, "ci", "--dry-run", "--", "tables"))
    assert not [rule for rule in quiet if rule.endswith("_switched")]
    switches = "analyse={switches: [leaking_mask, noise], backbones: []}"
    arguments = ("--dry-run", "--config", switches, "--", "tables")
    jobs = planned(snakemake(tmp_path, "ci", *arguments))
    assert jobs["train_reward_switched"] == 2
    # authenticity is read as released and as used in fine-tuning
    assert jobs["evaluate_reward_switched"] == 3
    assert {rule for rule in jobs if rule.endswith("_switched")} <= set(FEEDS)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_runs_what_depends_on_it_and_no_more(name, finished):
    change, expected = CHANGES[name]
    # an override from the command line is laid over the file's own
    arguments = ("--config", *change) if change else ()
    jobs = planned(snakemake(finished, "ci", "--dry-run", *arguments))
    assert jobs == expected


MISTAKES = {
    "backbones=[mdx]": ("mdx", "choose from"),
    "finetune={lr:1e-5}": ("lr:1e-5", "a space after the colon"),
    "finetune={lrr: 1e-5}": ("finetune: ", "'lrr'"),
    "override={backbones: {mdm: {finetune: {batch_sise: 4}}}}": ("batch_sise", "batch_size"),
    "override={backbones: {mdm: {sampelr: {steps: 5}}}}": ("sampelr", "sampler"),
    "sampelr={steps: 5}": ("sampelr", "known keys"),
    "seeds=[0, ']'": ("--config", "not valid YAML"),
}


@pytest.mark.parametrize("change", MISTAKES)
def test_a_mistake_is_one_line(change, tmp_path):
    done = snakemake(tmp_path, "ci", "--dry-run", "--config", change)
    assert done.returncode == 1
    output = done.stdout + done.stderr
    [line] = [line for line in output.splitlines() if "error:" in line]
    assert "ci.yaml: " in line or "--config: " in line
    assert "Fix: " in line
    for words in MISTAKES[change]:
        assert words in line
    assert "Traceback" not in output
    assert not (tmp_path / "results").exists()


SELECTIONS = {
    "backbones=[hymotion]": {"pretrain": 1, "finetune": 1},
    "methods=[draft-10]": {"finetune": 1},
    "backbones=[mdm, mld]": {"pretrain": 3, "finetune": 6},
    # the run's matrix names neither: each with all six methods
    "backbones=[acmdm-raw, mdm-bert]": {"pretrain": 2, "finetune": 12},
}


@pytest.mark.parametrize("change", SELECTIONS)
def test_any_part_of_the_toy_run_plans(change, tmp_path):
    jobs = planned(snakemake(tmp_path, "toy", "--dry-run", "--config", change))
    assert jobs == jobs | SELECTIONS[change]


def test_every_target_says_what_it_is(tmp_path):
    listed = snakemake(tmp_path, "ci", "--list-rules").stdout.splitlines()
    assert len(listed) > 20
    assert [line for line in listed if not line.endswith(".)")] == []
