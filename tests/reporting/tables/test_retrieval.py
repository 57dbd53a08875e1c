"""Retrieval both ways."""

import pytest

from motionrft.reporting.tables import build
from tests.reporting.made_run import labelled_row


def test_retrieval_has_both_ways_and_their_mean(records):
    table = build("retrieval", records)
    row_of = labelled_row(table, "kinematic", "MotionReward")
    assert row_of.cells["t2m R@1"].mean == 44.0
    assert row_of.cells["average"].mean == pytest.approx((44 + 48 + 52 + 60 + 80) / 5)
    assert row_of.cells["t2m R@1"].half == pytest.approx(196 * (46 / 104 * 58 / 104 / 104) ** 0.5)
    assert row_of.cells["average"].paper == 86.92
    assert labelled_row(table, "kinematic", "untrained reward").reference
