"""Warm-up, constant and cosine, by hand."""

import pytest

from motionrft.training.schedule import learning_rate


def test_warm_up_and_cosine():
    def rate(step):
        return learning_rate(step, peak=2.0, steps=110, warmup=10, schedule="cosine")

    assert rate(0) == pytest.approx(0.2)
    assert rate(9) == pytest.approx(2.0)
    assert rate(60) == pytest.approx(1.0)
    assert rate(110) == pytest.approx(0.0, abs=1e-12)
    assert rate(200) == rate(110)


def test_constant():
    assert learning_rate(4, peak=3.0, steps=5) == 3.0
    assert learning_rate(0, peak=3.0, steps=5, warmup=1.5) == pytest.approx(1.5)
