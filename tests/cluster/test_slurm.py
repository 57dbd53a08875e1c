"""`snakemake --profile slurm` on a real SLURM: resources, a job cancelled in the middle, one requeued, one that fails.

Needs root on Debian (slurm-wlm and munge are installed if absent); skipped with the reason elsewhere.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from motionrft.configuration import ROOT
from tests.cluster import local_slurm
from tests.workflow.snakemake_run import planned, snakemake

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1000)]

REASON = local_slurm.reason_to_skip()
LONG = 900


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if REASON:
        pytest.skip(REASON)
    local_slurm.install()
    with local_slurm.LocalSlurm(tmp_path_factory.mktemp("slurm")) as running:
        yield running


RUN = ("config/ci.yaml", "tests/cluster/ci_on_slurm.yaml")


def start(
    folder: Path, *arguments: str, files: Sequence[str | Path] = RUN
) -> subprocess.Popen[str]:
    command = [
        *(sys.executable, "-m", "snakemake", "--profile", "slurm", "--directory", folder),
        # each status check that finds nothing new adds ten seconds to the wait for the next
        *("--slurm-init-seconds-before-status-checks", "1"),
        *("--nocolor", "--configfile", *files),
        *arguments,
    ]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    try:
        return process.communicate(timeout=LONG)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"still running after {LONG} s:\n{process.communicate()[0][-3000:]}")


def when(cluster, rule: str, ready, act) -> threading.Thread:
    """Calls act(job id) once, when a job of `rule` runs and `ready()` holds."""

    def watch() -> None:
        deadline = time.monotonic() + LONG
        while time.monotonic() < deadline:
            for job in cluster.jobs() if ready() else ():
                named = job.get("Comment", "").startswith(f"rule_{rule}")
                if named and job["JobState"] == "RUNNING":
                    act(job["JobId"])
                    return
            time.sleep(0.2)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def of_rule(cluster, rule: str) -> list[dict[str, str]]:
    return [job for job in cluster.jobs() if job["Comment"].startswith(f"rule_{rule}")]


@pytest.fixture(scope="module")
def doomed(cluster, tmp_path_factory):
    """A run whose only job must fail, started beside the other: most of both is waiting. What it is to replace
    was made before, and is returned with what it holds."""
    folder = tmp_path_factory.mktemp("doomed")
    run, target = folder / "run.yaml", "results/fails/corpus/corpus.json"
    plain = "{name: fails, corpus: {kind: %s}, evaluate: {group: 2}, backbones: [mdm], methods: []}"
    run.write_text(plain % "toy, clips: 40")
    done = snakemake(folder, run, "--cores", "1", "--", target)
    assert done.returncode == 0, done.stderr
    run.write_text(plain % "bvh, mocap_dir: /nowhere")
    kept = (folder / target).read_bytes()
    return start(folder, "--retries", "0", "--", target, files=[run]), folder, target, kept


@pytest.mark.usefixtures("doomed")
def test_the_workflow_on_a_cluster(cluster, tmp_path):
    """The toy DAG to its scores: GPUs where asked, and two interruptions that cost nothing."""
    checkpoint = tmp_path / "results/ci/backbones/mdm/denoiser.checkpoint"
    tuning = tmp_path / "results/ci/finetune/mdm/easytune/seed0/checkpoint.pt"
    states = []

    def cancel(job: str) -> None:
        states.append(checkpoint.stat().st_mtime)
        cluster.call("scancel", job)

    def lose_the_node(job: str) -> None:
        states.append(job)
        cluster.lose_node("n0")

    watchers = [
        when(cluster, "pretrain", checkpoint.exists, cancel),
        when(cluster, "finetune", tuning.exists, lose_the_node),
    ]
    # the corpus and its features as one job, as a site with long queues would have it
    grouped = [f"{rule}=data" for rule in ("corpus", "features", "text_encoder", "text")]
    output = finish(start(tmp_path, "--groups", *grouped, "--", "backbone_mdm"))
    scores = "results/ci/evaluate/mdm/{}/seed0/replications.parquet"
    for method in ("base", "easytune"):
        assert (tmp_path / scores.format(method)).exists(), output[-3000:]
    for watcher in watchers:
        watcher.join(timeout=5)
    assert len(states) == 2, f"a job was never caught in the middle:\n{output[-3000:]}"

    for rule in ("pretrain", "train_reward", "finetune"):
        for job in of_rule(cluster, rule):
            assert job["TresPerJob"] == "gres:gpu:1", job
            assert job["Partition"] == "gpu"
    for rule in ("evaluate", "train_evaluator"):
        assert of_rule(cluster, rule)
        for job in of_rule(cluster, rule):
            assert "TresPerJob" not in job
            assert job["Partition"] == "cpu"
    gpus = [job.get("JOB_GRES", "") for job in cluster.jobs() if job.get("TresPerJob")]
    assert any(gres.startswith("gpu") for gres in gpus)

    # cancelled: a second job, with more memory, that began where the checkpoint stood
    first, second = sorted(of_rule(cluster, "pretrain"), key=lambda job: int(job["JobId"]))
    assert (first["JobState"], second["JobState"]) == ("CANCELLED", "COMPLETED")
    assert first["MinMemoryNode"] == "1000M"
    assert second["MinMemoryNode"] == "1500M"
    history = (tmp_path / "results/ci/logs/pretrain/mdm-denoiser.log").read_text()
    assert "goes on from step" in history
    # its node lost: the same job ran twice and ended well
    [job] = of_rule(cluster, "finetune")
    assert (job["JobState"], job["Restarts"]) == ("COMPLETED", "1")


def test_a_job_that_must_fail_shows_its_logs(doomed):
    process, folder, target, kept = doomed
    output = finish(process)
    assert "corpus.mocap_dir: no such folder" in output  # the rule's own log, shown
    assert "results/fails/logs/corpus.log" in output
    [path] = set(re.findall(r"log: (\S*slurm_logs/rule_corpus/\d+\.log)", output))
    assert Path(path).exists()
    # what it was to replace is there still, and not taken for what was asked
    assert (folder / target).read_bytes() == kept
    jobs = planned(snakemake(folder, folder / "run.yaml", "--dry-run", "--", target))
    assert jobs == {"corpus": 1}
