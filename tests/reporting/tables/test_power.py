"""Power as expected and as measured."""

from dataclasses import replace

import pytest

from motionrft.configuration.comparisons import declared
from motionrft.metrics.crossed import Spread
from motionrft.metrics.power import power, seeds_needed
from motionrft.reporting.expected import expected, told
from motionrft.reporting.family import effect
from motionrft.reporting.tables import build
from tests.reporting.made_run import labelled_row


def test_expected_and_measured(records):
    table = build("power", records)
    before = labelled_row(table, "FID", "expected", "–").cells
    gain = records.run["compare"]["gains"]["FID"]
    assert before["seed"].mean == gain["seed"]
    assert before["needed"].filled or before["needed"].absent == "none"
    after = labelled_row(table, "FID", "mdm", "easytune").cells
    spread = effect(records, "mdm", "easytune", "FID").spread
    base = records.evaluations.query("method == 'base' and backbone == 'mdm' and metric == 'FID'")
    share = base["value"].mean()
    assert after["prompt"].mean == pytest.approx(spread.prompt / share)
    shares = Spread(spread.seed / share, spread.prompt / share, spread.rest / share)
    expected_power = power(0.2, shares, seeds=3, prompts=40, alpha=0.025)
    assert after["power"].mean == pytest.approx(100 * expected_power)
    assert after["seeds"].mean == seeds_needed(0.2, shares, prompts=40, alpha=0.025)


def test_a_line_says_what_would_show(records):
    [first, second] = expected(records.run, declared(records.run))
    assert (first.metric, first.seeds, first.tests) == ("R-Precision Top-1", 3, 2)
    line = told(first, 100)
    assert "a gain of 0.05 shows" in line
    assert "with 100 test prompts" in line
    assert "2 declared comparisons" in line
    assert "20% of the base model's" in told(second, None)
    short = replace(first, spread=Spread(0.1, 0.15, 0.3))
    needed = short.seeds_for(100)
    assert f"no number of prompts gives 80 %, {needed} seeds do (3 seeds," in told(short, 100)
    assert needed > 20
    short = replace(first, spread=Spread(0.1, 0.9, 0.3))
    assert "neither more prompts nor more seeds alone give 80 %" in told(short, 100)
