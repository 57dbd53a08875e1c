"""Cost until a level of the reward."""

import pytest

from motionrft.reporting.records import Records
from motionrft.reporting.tables import build
from tests.reporting.made_run import labelled_row, make_run


def test_cost_until_quarters_of_the_way(records):
    table = build("compute_overhead", records)
    tuned = labelled_row(table, "mdm", "easytune")
    # validated every 12 updates of 0.5 s and 2 GFLOPs, from 0.3 to 0.54
    assert [tuned.cells[f"seconds {i}"].mean for i in range(4)] == [12.0, 18.0, 24.0, 30.0]
    assert tuned.cells["flops 3"].mean == pytest.approx(120.0)
    assert labelled_row(table, "mdm", "draft-10") in table.missing()


def test_a_level_one_seed_never_reached_is_not_averaged_over(tmp_path):
    records = Records(make_run(tmp_path))
    low = records.finetuning["seed"].eq(1) & records.finetuning["name"].eq("val/reward")
    records.finetuning.loc[low, "value"] *= 0.8
    cells = labelled_row(build("compute_overhead", records), "mdm", "easytune").cells
    assert cells["seconds 3"].absent == "not reached"
    assert cells["seconds 3"].mean is None
