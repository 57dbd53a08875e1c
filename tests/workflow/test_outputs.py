"""Outputs that exist stay until they are replaced: under jobs that fail, that stop half-way, that write nothing."""

import os
import signal
import subprocess
import sys
import time

import pytest

from motionrft.configuration.files import ROOT
from tests.workflow.snakemake_run import CI, TEXT, planned, snakemake

# outputs hold the setting they were made with; the setting `fail` fails
SNAKEFILE = f"""
import sys

sys.path.insert(0, {str(ROOT)!r})
from motionrft.workflow_outputs import keep_outputs_until_replaced

keep_outputs_until_replaced()
SETTING = config.get("setting", "one")
FINISH = f"test {{SETTING}} != fail"

rule all:
    input: "file", "folder", "first", "after", "grouped"

rule file:
    output: "file"
    params: SETTING
    shell: FINISH + " && if [ {{params}} != silent ]; then echo {{params}} > {{output}}; fi"

rule folder:
    output: directory("folder")
    params: SETTING
    shell: FINISH + " && rm -rf {{output}} && mkdir {{output}} && echo {{params}} > {{output}}/content"

rule halves:
    output: "first", "second"
    params: SETTING
    shell: "echo {{params}} > {{output[0]}} && " + FINISH + " && echo {{params}} > {{output[1]}}"

rule after:
    input: "file"
    output: "after"
    shell: "cp {{input}} {{output}}"

rule before_in_group:
    output: "in_group"
    group: "together"
    params: SETTING
    shell: "echo {{params}} > {{output}}"

rule grouped:
    input: "in_group"
    output: "grouped"
    group: "together"
    params: SETTING
    shell: FINISH + " && cp {{input}} {{output}}"
"""
CONTENT = ("file", "folder/content", "first", "second", "after", "in_group", "grouped")


@pytest.fixture
def workflow(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    done = make(tmp_path, "one")
    assert done.returncode == 0, done.stderr
    assert content(tmp_path) == dict.fromkeys(CONTENT, "one")
    return tmp_path


def make(folder, setting, *arguments):
    command = [
        *(sys.executable, "-m", "snakemake", "--cores", "1", "--nocolor", "--keep-going"),
        *("--rerun-incomplete", "--config", f"setting={setting}", *arguments),
    ]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def content(folder):
    return {name: (folder / name).read_text().strip() for name in CONTENT}


def jobs(folder, setting):
    return set(planned(make(folder, setting, "--dry-run")))


def test_a_failed_job_costs_nothing_and_is_not_taken_for_done(workflow):
    assert make(workflow, "fail").returncode == 1
    kept = content(workflow)
    assert kept.pop("first") == kept.pop("in_group") == "fail"  # these were finished
    assert set(kept.values()) == {"one"}
    # asked for again, all of it runs; of what was made before, only that which is mixed by now
    everything = {"file", "folder", "halves", "after", "before_in_group", "grouped"}
    assert jobs(workflow, "fail") >= everything - {"before_in_group"}
    assert jobs(workflow, "one") == {"halves", "before_in_group", "grouped"}
    assert make(workflow, "one").returncode == 0
    assert content(workflow) == dict.fromkeys(CONTENT, "one")
    assert jobs(workflow, "one") == set()


def test_a_finished_job_replaces_what_was_there(workflow):
    assert make(workflow, "two").returncode == 0
    assert content(workflow) == dict.fromkeys(CONTENT, "two")
    assert jobs(workflow, "two") == set()
    assert jobs(workflow, "one") >= {"file", "folder", "halves"}


def test_a_job_that_ends_without_writing_is_an_error(workflow):
    done = make(workflow, "silent", "--", "file")
    assert done.returncode == 1
    assert "rule file: the job ended without writing file" in done.stderr
    assert content(workflow)["file"] == "one"
    assert "file" in jobs(workflow, "silent")
    assert jobs(workflow, "one") == set()


def test_a_snakemake_killed_in_the_middle_costs_nothing(workflow):
    snakefile = workflow / "Snakefile"
    slow = snakefile.read_text().replace('output: "file"', 'output: "file"\n    input: "slow"')
    slow += '\nrule slow:\n    output: "slow"\n    shell: "touch {output}"\n'
    snakefile.write_text(slow.replace("if [ {params} != silent ]", "if touch begun; sleep 60"))
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--", "file"]
    process = subprocess.Popen(
        command, cwd=workflow, start_new_session=True, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            if (workflow / "begun").exists():
                break
            time.sleep(0.1)
        assert (workflow / "begun").exists()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert content(workflow)["file"] == "one"
    make(workflow, "one", "--unlock")
    assert "file" in jobs(workflow, "one")


def test_text_features_survive_an_encoder_that_is_not_there(run):
    before = (run / TEXT).read_bytes()
    elsewhere = ("--config", "text={toy: {source: /nowhere}}", "--", TEXT)
    done = snakemake(run, CI, "--cores", "1", *elsewhere)
    assert done.returncode == 1
    assert (run / TEXT).read_bytes() == before
    assert planned(snakemake(run, CI, "--dry-run", *elsewhere)) == {"text": 1}
    assert planned(snakemake(run, CI, "--dry-run", "--", TEXT)) == {}
