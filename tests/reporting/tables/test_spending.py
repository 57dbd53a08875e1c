"""Methods at a fixed reward, and at equal cost."""

import pytest

from motionrft.reporting.records import Records
from motionrft.reporting.tables import build
from tests.reporting.made_run import labelled_row, make_run


def test_what_is_spent_until_a_fixed_reward(records):
    cells = labelled_row(build("at_reward", records), "mdm", "easytune").cells
    # the reward climbs from .30 to .54 in 60 updates of .5 s and 2 GFLOP, validated every 12: half is .42, 90 % is .516
    assert cells["seconds 0.5"].mean == pytest.approx(0.5 * 36)
    assert cells["flops 0.5"].mean == pytest.approx(2 * 36)
    assert cells["val/R-Precision Top-1 0.5"].mean == pytest.approx(0.336)
    assert cells["val/FID 0.5"].mean == pytest.approx(2 - 0.005 * 36)
    assert cells["seconds 0.9"].mean == pytest.approx(0.5 * 60)
    assert cells["extra"].mean == 4.0
    assert cells["seconds 0.5"].count == 3


def test_a_seed_that_never_got_there_is_not_averaged_over(tmp_path):
    records = Records(make_run(tmp_path))
    low = records.finetuning["seed"].eq(1) & records.finetuning["name"].eq("val/reward")
    records.finetuning.loc[low, "value"] *= 0.8
    cells = labelled_row(build("at_reward", records), "mdm", "easytune").cells
    assert cells["seconds 0.9"].absent == "2 of 3 seeds"
    assert not cells["val/FID 0.9"].filled


def test_equal_cost_is_what_every_run_has(tmp_path):
    records = Records(make_run(tmp_path, methods=("easytune", "draft-10")))
    frame = records.finetuning
    # draft: half the updates, each of three times the seconds
    slow = frame["method"].eq("draft-10")
    records.__dict__["finetuning"] = frame[~slow | frame["update"].le(30)].copy()
    frame = records.finetuning
    seconds = frame["method"].eq("draft-10") & frame["name"].eq("seconds")
    frame.loc[seconds, "value"] *= 3
    table = build("equal_cost", records)
    easy, draft = (labelled_row(table, "mdm", name).cells for name in ("easytune", "draft-10"))
    # 30 updates, 30 s: both validated at 24 updates; EasyTune has made 60 in 30 s, DRaFT 12 in 18 s and 24 in 36 s
    assert (
        easy["updates val/reward"].mean == draft["updates val/reward"].mean == pytest.approx(0.396)
    )
    assert easy["seconds val/reward"].mean == pytest.approx(0.54)
    assert draft["seconds val/reward"].mean == pytest.approx(0.348)
    assert draft["step"].mean == pytest.approx(1.5)
    assert any("30 updates, 30.0 s" in note for note in table.notes)


def test_what_was_not_validated_is_not_run(records):
    table = build("equal_cost", records)
    assert labelled_row(table, "mdm", "draft-10") in table.missing()
    assert "seed2/record.parquet" in labelled_row(table, "mdm", "draft-10").command


def test_what_a_rising_reward_costs(tmp_path):
    records = Records(make_run(tmp_path))
    frame = records.finetuning
    worse = frame["name"].eq("val/FID") & frame["update"].eq(60)
    frame.loc[worse, "value"] += 1.0  # the last validation
    cells = labelled_row(build("over_optimisation", records), "mdm", "easytune").cells
    assert cells["reward"].mean == pytest.approx(0.24)
    assert cells["top1"].mean == 0
    # 2 - .005 * 48 was the least
    assert cells["fid"].mean == pytest.approx(1 - 0.005 * 12)
    assert cells["jerk"].absent == "–"
    assert (cells["flagged"].mean, cells["flagged"].count) == (1, 3)
