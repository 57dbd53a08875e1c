"""Frame rates: a motion keeps its duration."""

from __future__ import annotations

import pytest
import torch

from motionrft.backbones.hymotion.frame_rate import Clock
from tests.same import assert_same


@pytest.mark.usefixtures("float64")
def test_clock_keeps_the_duration():
    clock, lengths = Clock(30), torch.tensor([5, 8, 196])
    assert (
        [clock.frames(int(n)) for n in lengths] == clock.lengths(lengths).tolist() == [7, 12, 294]
    )
    seconds = torch.arange(8)[None, :, None] / 20  # a clip whose value is its time
    at_30 = clock.to_model(seconds, torch.tensor([8]))
    assert_same(at_30[0, :, 0], torch.arange(12) / 30)
    back = clock.to_data(torch.arange(12)[None, :, None] / 30, torch.tensor([8]), 8)
    assert_same(back, seconds)
    single = clock.to_model(torch.ones(1, 1, 2), torch.tensor([1]))
    assert_same(single, torch.ones(1, 1, 2))
    assert Clock(20).to_model(seconds, torch.tensor([8])) is seconds
