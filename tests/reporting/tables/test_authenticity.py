"""Generators never seen in training."""

from motionrft.reporting.records import Records
from motionrft.reporting.tables import build
from tests.reporting.made_run import make_run


def test_no_held_out_generator_is_said_not_left_open(tmp_path):
    records = Records(make_run(tmp_path))
    records.reward = records.reward[records.reward["setting"].ne("held_out")]
    table = build("authenticity", records)
    assert {entry.labels[0] for entry in table.rows} == {"seen in training"}
    assert any("No generator was held out" in note for note in table.notes)
