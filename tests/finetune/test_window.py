"""Which steps are trained."""

from __future__ import annotations

import random

from motionrft.finetune.window import Window, step_weight


def test_windows():
    rng = random.Random(0)
    assert Window("last", 3).steps(10, 0.5, rng) == [7, 8, 9]
    assert Window("first", 3).steps(10, 0.5, rng) == [0, 1, 2]
    assert Window("every", 4).steps(10, 0.5, rng) == [0, 4, 8]
    sweep = Window("curriculum", 10, 0.03)
    assert sweep.steps(50, 0.0, rng)[0] == 0
    assert sweep.steps(50, 0.015, rng)[0] == 20
    assert sweep.steps(50, 0.0299, rng)[0] == 40
    assert sweep.steps(50, 0.9, rng) == list(range(40, 50))
    assert Window("curriculum", 10, 0.0).steps(50, 0.0, rng)[0] == 40
    drawn = Window("random", 4).steps(50, 0.0, rng)
    assert len(set(drawn)) == 4
    assert [step_weight(kind, 10, 50) for kind in ("none", "early", "late")] == [1.0, 0.8, 0.2]
