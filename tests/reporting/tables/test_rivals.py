"""Fine-tuning beside sampling under the reward."""

import math

import pytest

from motionrft.reporting.records import Records
from motionrft.reporting.tables import build
from motionrft.reporting.tables.rivals import motions_until_training_pays
from tests.reporting.made_run import labelled_row, make_run


def test_what_each_costs_and_when_training_pays(records):
    table = build("rivals", records)
    tuned, picked = (labelled_row(table, "mdm", name) for name in ("easytune", "best-of-4"))
    base, real = (labelled_row(table, "mdm", name) for name in ("base", "Real"))
    # 60 updates of 0.5 s (0.6 s on the wall) and 2 GFLOPs; a motion of 1 GFLOP, or of 5
    assert tuned.cells["train seconds"].mean == pytest.approx(30.0)
    assert tuned.cells["train flops"].mean == pytest.approx(0.12)
    assert [row.cells["motion flops"].mean for row in (tuned, base, picked)] == [1.0, 1.0, 5.0]
    assert picked.cells["motion s"].mean == pytest.approx(50.0)
    # 120 GFLOPs + N = 5 N
    assert picked.cells["pays"].mean == pytest.approx(30.0)
    for cell in (picked.cells["train flops"], base.cells["train flops"], real.cells["motion s"]):
        assert not cell.applies
    assert picked.cells["FID"].filled


def test_training_never_pays_against_what_costs_no_more():
    assert motions_until_training_pays(8.0, 1.0, 3.0) == 4.0
    assert motions_until_training_pays(8.0, 1.0, 1.0) == math.inf


def test_a_run_in_which_all_methods_train_has_no_such_table(tmp_path):
    records = Records(make_run(tmp_path))
    run = records.run
    run["matrix"] = [cell for cell in run["matrix"] if cell["method"] != "best-of-4"]
    records.run = run
    table = build("rivals", records)
    assert table.rows == []
    assert "config/rivals.yaml" in table.notes[0]
