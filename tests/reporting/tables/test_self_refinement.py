"""Gains of self-refinement."""

import pytest

from motionrft.reporting.tables import build
from tests.reporting.made_run import labelled_row


def test_self_refinement_is_a_gain_over_before(records):
    table = build("self_refinement", records)
    assert labelled_row(table, "joint", "before").cells["m2t R@3"].mean == 51.0
    assert labelled_row(table, "joint", "after").cells["m2t R@3"].gain == pytest.approx(400 / 51)
