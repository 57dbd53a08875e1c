"""Tables that are made once do not remember the default dtype or device of whoever asked first."""

from dataclasses import replace

import pytest
import torch

from motionrft.motion import kinematic
from motionrft.motion.skeleton import SMPL_22
from motionrft.reward import noise_schedule

MAKE = {
    "ancestors": lambda: replace(SMPL_22).ancestors,
    "smoothing": lambda: kinematic._smoothing.__wrapped__(40),
    "alphas": noise_schedule.cumulative_alphas.__wrapped__,
}


@pytest.mark.parametrize("table", MAKE)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_table_is_the_same_whoever_asks_first(table, device, float64):
    with torch.device(device):
        found = MAKE[table]()
    torch.set_default_dtype(torch.float32)
    expected = MAKE[table]()
    assert found.device == expected.device
    assert found.dtype == expected.dtype
    assert found.equal(expected)
