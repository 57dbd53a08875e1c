"""The drawing of the run: the rules' own graph, reduced and laid out."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from motionrft.configuration import load_run
from motionrft.reporting.page.dag import FEEDS, layers, reduced, svg
from motionrft.reporting.page.jobs import jobs
from motionrft.workflow_plan import Plan
from tests.workflow.snakemake_run import planned, snakemake

ROOT = Path(__file__).resolve().parents[3]


def test_arrows_only_where_no_longer_path_implies_them():
    parents = reduced(["corpus", "features", "text", "train_evaluator", "evaluate_real"])
    assert parents["features"] == ["corpus"]
    assert parents["evaluate_real"] == ["train_evaluator"]
    assert layers(parents) == {
        "corpus": 0, "features": 1, "text": 1, "train_evaluator": 2, "evaluate_real": 3
    }  # fmt: skip


def test_boxes_say_what_is_done(records):
    total = Plan(records.run).job_counts()
    drawing = svg(total, Counter(jobs(records)["rule"]))
    assert drawing.count("<rect") == len(total)
    assert total["finetune"] == 6
    assert ">finetune</text>" in drawing
    assert "1 of 6" in drawing


def test_jobs_are_counted_as_snakemake_plans_them(tmp_path):
    jobs_by_rule = planned(snakemake(tmp_path, "toy", "--dry-run"))
    run = load_run(ROOT / "config" / "toy.yaml")
    assert Plan(run).job_counts() == {
        rule: number for rule, number in jobs_by_rule.items() if rule != "records"
    }


def test_the_drawing_is_the_workflow(tmp_path):
    """Rules and arrows as Snakemake itself plans them."""
    snakemake = Path(sys.executable).with_name("snakemake")
    planned = subprocess.run(
        [snakemake, "--rulegraph", "--directory", tmp_path, "-s", ROOT / "Snakefile",
         "--configfile", ROOT / "config" / "toy.yaml", "--cores", "1"],
        capture_output=True, text=True, check=True, env={**os.environ, "HOME": str(tmp_path)},
    ).stdout  # fmt: skip
    names = dict(re.findall(r'(\d+)\[.*?label = "([^"\\]+)', planned))
    arrows = {(names[a], names[b]) for a, b in re.findall(r"(\d+) -> (\d+)", planned)}
    # a rule that only waits for others is drawn through
    through = {"records"}
    before = {a for a, b in arrows if b in through}
    after = {b for a, b in arrows if a in through}
    arrows |= {(a, b) for a in before for b in after}
    arrows = {(a, b) for a, b in arrows if b != "all" and not through & {a, b}}
    rules = set(names.values()) - {"all"} - through
    arrows -= {(rule, rule) for rule in rules}  # stages of one backbone, a teacher and its pupil
    assert rules <= set(FEEDS)
    known = {(parent, rule) for rule in rules for parent in FEEDS[rule] if parent in rules}
    drawn = {(parent, rule) for rule, names in reduced(sorted(rules)).items() for parent in names}
    assert drawn <= arrows <= known
