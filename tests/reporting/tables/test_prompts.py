"""The prompt as the unit."""

import pytest

from motionrft.reporting.tables import build
from tests.reporting.made_run import labelled_row


def test_prompts_are_paired(records):
    cells = labelled_row(build("prompts", records), "mdm", "easytune").cells
    frame = records.prompts.query("backbone == 'mdm'")
    means = frame.groupby(["method", "clip"])["matching"].mean().unstack("method")
    nearer = means["base"] - means["easytune"]
    assert cells["matching"].mean == pytest.approx(-nearer.mean())
    assert cells["matching"].p < 1e-6
    assert cells["matching"].verdict == ""  # the run does not declare it
    assert cells["effect"].mean == pytest.approx(nearer.mean() / nearer.std(ddof=1))
    assert cells["wins"].mean == pytest.approx(100 * (nearer > 0).mean())
    assert cells["top1"].mean == pytest.approx(0.06, abs=0.005)
    assert cells["top1"].verdict == "better"
