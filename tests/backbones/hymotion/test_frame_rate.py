"""Frame rates: a motion keeps its duration."""

from __future__ import annotations

import torch

from motionrft.backbones.hymotion.frame_rate import Clock


def test_clock_keeps_the_duration():
    clock, lengths = Clock(30), torch.tensor([5, 8, 196])
    assert (
        [clock.frames(int(n)) for n in lengths] == clock.lengths(lengths).tolist() == [7, 12, 294]
    )
    seconds = torch.arange(8)[None, :, None] / 20  # a clip whose value is its time
    at_30 = clock.to_model(seconds, torch.tensor([8]))
    torch.testing.assert_close(at_30[0, :, 0], torch.arange(12) / 30)
    back = clock.to_data(torch.arange(12)[None, :, None] / 30, torch.tensor([8]), 8)
    torch.testing.assert_close(back, seconds)
    single = clock.to_model(torch.ones(1, 1, 2), torch.tensor([1]))
    torch.testing.assert_close(single, torch.ones(1, 1, 2))
    assert Clock(20).to_model(seconds, torch.tensor([8])) is seconds
