"""Samples beside recorded motions, and what is broken of them."""

from __future__ import annotations

import pandas as pd
import pytest

from motionrft.files import read_table, write_table
from motionrft.reporting.records import Records
from motionrft.reporting.tables import build
from tests.reporting.made_run import labelled_row, make_run

MOVES = {"root_speed": 0.4, "jerk": 60.0, "bone_change": 0.0, "skating_ratio": 0.1}


@pytest.fixture
def with_physics(tmp_path):
    """Recorded motions and a base model that move alike, and a fine-tuned one that jerks."""
    folder = make_run(tmp_path)
    changes = {"real/base": {}, "mdm/base": {"jerk": 170.0}, "mdm/easytune": {"jerk": 190.0}}
    for model, change in changes.items():
        for path in folder.glob(f"evaluate/{model}/seed*/replications.parquet"):
            frame, about = read_table(path)
            rows = [(0, metric, value) for metric, value in (MOVES | change).items()]
            more = pd.DataFrame(rows, columns=list(frame.columns))
            write_table(path, pd.concat([frame, more]), about)
    return Records(folder)


def test_a_broken_model_is_named(with_physics):
    table = build("plausibility", with_physics)
    assert labelled_row(table, "mdm", "base").cells["jerk"].mean == 170.0
    assert labelled_row(table, "Real", "").cells["root_speed"].mean == 0.4
    broken = [note for note in table.notes if "is broken" in note]
    assert len(broken) == 1
    assert "mdm easytune" in broken[0]
    assert "3.2 times" in broken[0]


def test_what_is_not_scored_yet_is_missing_and_not_broken(with_physics):
    table = build("plausibility", with_physics)
    row = labelled_row(table, "mdm", "draft-10")
    assert row in table.missing()
    assert "draft-10" in row.command
