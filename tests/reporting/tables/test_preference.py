"""Which of two motions is better."""

import pytest

from motionrft.reporting.tables import build
from tests.reporting.made_run import labelled_row


def test_preference_and_authenticity_are_percentages_with_their_labels(records):
    judged = build("preference", records)
    assert labelled_row(judged, "rotation", "all", "MotionReward").cells[
        "accuracy"
    ].mean == pytest.approx(77)
    assert labelled_row(judged, "all", "jitter", "MotionReward").cells["f1"].mean == pytest.approx(
        80
    )
    assert "Labels of the judged motions: made, not human." in judged.notes
    detected = build("authenticity", records)
    assert labelled_row(detected, "held out", "joint", "MotionReward").cells["auroc"].mean == 0.85
    assert (
        labelled_row(detected, "held out", "joint", "MotionReward").cells["accuracy"].paper is None
    )
