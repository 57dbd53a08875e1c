"""A core of this machine as a card."""

from __future__ import annotations

import pytest

from motionrft.counting.costs import Work
from motionrft.counting.processor import Processor, processor_here


def test_products_traffic_and_starts_are_one_after_another():
    core = Processor("slow", 1.0, 4.0, 4.0, 4.0, 2.0, 0.5)
    assert core.seconds(Work(flops=8, traffic=6, kernels=3)) == pytest.approx(2 + 3 + 1.5)


def test_the_rates_of_this_machine_are_those_of_a_processor():
    core = processor_here()
    assert 1e8 < core.fp32 < 1e13
    assert 1e8 < core.bandwidth < 1e13
    assert 1e-7 < core.launch < 1e-3
    assert core.memory > 0.5
