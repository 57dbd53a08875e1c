"""What a motion costs, in the units that training is counted in."""

import itertools

import pytest

from motionrft.finetune import cost
from motionrft.finetune.analysis.sampling_cost import sampling_cost
from tests.finetune.toy_run import METHODS, toy_run

BEST = {"family": "best_of_n", "options": {"n": 4}}


@pytest.mark.parametrize(
    ("method", "forwards", "scorings"), [(METHODS["draft"], 5, 0), (BEST, 20, 4)]
)
def test_calls_and_seconds_of_the_meters_clock(monkeypatch, method, forwards, scorings):
    """Seconds are the processor's, as those of training on a CPU, and not the wall's."""
    run = toy_run(method, {"updates": 1})
    run.sampler.meter = cost.Meter.of(run.device)
    counted = itertools.count(step=3.0)
    monkeypatch.setitem(cost.CLOCKS, "processor", lambda: next(counted))
    numbers = sampling_cost(run).set_index("name")["value"]
    assert (numbers["forwards"], numbers["backwards"]) == (forwards, 0)
    assert numbers["scorings"] == scorings
    assert numbers["s"] == pytest.approx(3.0 / 6)
    # a call: six frames through two layers, with and without the text; a scoring decodes them; the caption is read once
    call, decoding, caption = 2 * (2 * 6 * (9 * 8 + 8 * 4)), 2 * 6 * 4 * 4, 2 * 4 * 4
    assert numbers["flops"] == forwards * call + scorings * decoding + caption
