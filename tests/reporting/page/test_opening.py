"""What a reader sees first: chance by the run's own groups, and a model that is its base still."""

import shutil

import pytest

from motionrft.reporting.page.opening import main_rows, recorded, what_was_run
from motionrft.reporting.records import Records
from tests.reporting.made_run import make_run


@pytest.fixture
def folder(tmp_path):
    return make_run(tmp_path)


def test_chance_is_that_of_the_runs_groups(folder):
    records = Records(folder)
    assert recorded(records).endswith("chance in groups of 32: 0.031.")
    records.run["evaluate"]["group"] = 8
    assert recorded(records).endswith("chance in groups of 8: 0.125.")


def test_a_model_that_kept_the_weights_of_its_base_is_called_so(folder):
    [row] = main_rows(Records(folder))
    assert not row["unchanged"]
    assert "base kept" not in [cell["verdict"] for cell in row["cells"]]
    for seed in (0, 1, 2):
        there = folder / f"evaluate/mdm/easytune/seed{seed}"
        shutil.rmtree(there)
        shutil.copytree(folder / "evaluate/mdm/base/seed0", there)
    [row] = main_rows(Records(folder))
    assert row["unchanged"]
    assert [cell["verdict"] for cell in row["cells"]] == ["base kept", "base kept"]


def test_the_first_sentence_is_one(folder):
    run = Records(folder).run
    run["matrix"] = [cell for cell in run["matrix"] if cell["method"] == "easytune"]
    assert what_was_run(run).startswith("One method of reward fine-tuning on one")
