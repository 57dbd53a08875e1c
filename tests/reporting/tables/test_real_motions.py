"""The level that scores are read against."""

import pandas as pd

from motionrft.reporting.records import Records
from motionrft.reporting.tables import build
from tests.reporting.made_run import labelled_row, make_run


def test_recorded_motions_are_a_level_to_read_against(records):
    table = build("real_motions", records)
    own, other = (
        labelled_row(table, "joint", "MotionReward", f"{whose} caption").cells["semantic"].mean
        for whose in ("own", "another")
    )
    assert own == 0.8
    assert other == 0.4
    assert labelled_row(table, "joint", "untrained reward", "own caption").reference
    assert not table.missing()


def test_a_term_of_ones_own_has_its_column(tmp_path):
    records = Records(make_run(tmp_path))
    another = records.reward[records.reward["metric"].eq("m2m")]
    records.reward = pd.concat([records.reward, another.assign(metric="smoothness")])
    table = build("real_motions", records)
    keys = [column.key for column in table.columns]
    assert keys == ["semantic", "m2m", "preference", "authenticity", "smoothness"]
    cells = labelled_row(table, "joint", "MotionReward", "own caption").cells
    assert cells["smoothness"].mean == cells["m2m"].mean == 0.8
