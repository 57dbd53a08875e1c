"""Graded damage."""

import pandas as pd

from motionrft.reporting.records import Records
from motionrft.reporting.tables import build
from tests.reporting.made_run import labelled_row, make_run


def test_faithfulness_tells_blind_from_constant(records):
    table = build("faithfulness", records)
    assert labelled_row(table, "kinematic", "jitter").cells["semantic|grade"].absent == "constant"
    assert -1 <= labelled_row(table, "joint", "jitter").cells["total|grade"].mean <= 0.2


def test_a_term_of_ones_own_has_its_columns(tmp_path):
    records = Records(make_run(tmp_path))
    another = records.faithfulness[records.faithfulness["dimension"].eq("m2m")]
    records.faithfulness = pd.concat([records.faithfulness, another.assign(dimension="smoothness")])
    table = build("faithfulness", records)
    keys = [column.key for column in table.columns]
    assert keys[:6] == [
        f"{name}|grade"
        for name in ("semantic", "m2m", "preference", "authenticity", "smoothness", "total")
    ]
    cells = labelled_row(table, "joint", "jitter").cells
    assert cells["smoothness|grade"].mean == cells["m2m|grade"].mean is not None
