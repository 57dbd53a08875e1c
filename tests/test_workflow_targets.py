"""A target that no rule makes ends in one line that says what there is; one that a rule makes is left alone."""

import pytest

from motionrft.workflow_targets import unknown_target
from tests.workflow.snakemake_run import snakemake

SCORES = "results/ci/evaluate/mdm/{}/seed0/replications.parquet"
CELLS = {"mdm": ["base", "easytune"], "mld": ["base"]}


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (
            SCORES.format("easytun"),
            f"did you mean {SCORES.format('easytune')}? the run's cells are",
        ),
        ("table_finetunning", "did you mean table_finetuning? `snakemake --list-rules`"),
    ],
)
def test_snakemake_says_what_there_is(target, said, tmp_path):
    done = snakemake(tmp_path, "ci", "--dry-run", "--", target)
    assert done.returncode == 1
    text = done.stdout + done.stderr
    assert said in text
    assert "MissingRule" not in text


@pytest.mark.parametrize("target", ["table_finetuning", f"./{SCORES.format('easytune')}"])
def test_what_a_rule_makes_is_planned(target, tmp_path):
    done = snakemake(tmp_path, "ci", "--dry-run", "--", target)
    assert done.returncode == 0, done.stderr


def test_cells_are_named_for_a_path_only():
    path = unknown_target("results/a/evaluate/mdm/x", ["all"], [], CELLS)
    assert "mdm: base, easytune; mld: base" in str(path)
    assert "cells" not in str(unknown_target("al", ["all"], [], CELLS))
