"""The draws of each method, and settings that cannot work."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from motionrft.errors import InputError
from motionrft.finetune.methods.alignprop import AlignProp
from motionrft.finetune.methods.draft import Draft
from motionrft.finetune.methods.drtune import DRTune
from motionrft.finetune.methods.easytune import EasyTune
from motionrft.finetune.methods.refl import Refl
from motionrft.finetune.released import ReleasedDRTune, ReleasedEasyTune, ReleasedRefl
from motionrft.finetune.window import Window


@pytest.mark.parametrize(
    "make",
    [
        lambda: Refl(50, m=0),
        lambda: Refl(50, m=51),
        lambda: ReleasedRefl(50, m=1),
        lambda: ReleasedRefl(50, draw="some"),
        lambda: Draft(50, k=0),
        lambda: Draft(50, k=51),
        lambda: Draft(50, k=2, lv=1),
        lambda: AlignProp(50, prob=0.0),
        lambda: AlignProp(50, rule="none"),
        lambda: DRTune(50, k=0),
        lambda: DRTune(50, k=40, m=20),
        lambda: ReleasedDRTune(50, k=30, m=40),
        lambda: ReleasedDRTune(50, grid="some"),
        lambda: EasyTune(50, window=Window("last", 51)),
        lambda: EasyTune(50, window=Window("listed")),
        lambda: EasyTune(50, window=Window("listed", listed=[50])),
        lambda: EasyTune(50, window=Window("some")),
        lambda: ReleasedEasyTune(50, one_step_before=51),
        lambda: EasyTune(50, variant="both"),
        lambda: EasyTune(50, form="clean"),
    ],
)
def test_invalid_settings_are_rejected_when_made(make):
    with pytest.raises(InputError):
        make()


def test_refl_draws_from_the_last_m_and_the_released_code_from_one_less():
    rng = random.Random(0)
    assert {Refl(50, m=10).stop(rng) for _ in range(500)} == set(range(40, 50))
    assert {ReleasedRefl(50, m=10).stop(rng) for _ in range(500)} == set(range(41, 50))


def test_alignprop_rules():
    rng = random.Random(0)
    masks = [AlignProp(50, prob=0.1).live(rng) for _ in range(2000)]
    assert all(masks)
    # given not empty: 5 / (1 - 0.9^50); here and below within five or four standard errors
    assert sum(map(len, masks)) / 2000 == pytest.approx(5.026, abs=5 * (4.5 / 2000) ** 0.5)
    counts = Counter(i for _ in range(3000) for i in AlignProp(50, rule="trl").live(rng))
    for step, share in ((49, 50 / 51), (9, 10 / 51)):
        error = (share * (1 - share) / 3000) ** 0.5
        assert counts[step] / 3000 == pytest.approx(share, abs=4 * error)
    cuts = [min(AlignProp(50, rule="gaussian").live(rng)) for _ in range(3000)]
    assert sum(cuts) / 3000 == pytest.approx(41.1, abs=0.4)
    assert max(cuts) <= 49
    assert AlignProp(50, rule="fixed").live(rng) == {49}


def test_drtune_grids():
    rng = random.Random(0)
    released = ReleasedDRTune(50, k=10, m=10)
    stops = [released.stop(rng) for _ in range(500)]
    trained = {tuple(sorted(released.trained(stop, rng))) for stop in stops}
    assert trained == {tuple(range(0, 50, 5))}
    method = DRTune(50, k=3, m=20)
    for stop in (method.stop(rng) for _ in range(500)):
        trained = method.trained(stop, rng)
        assert len(trained) == 3
        assert 0 <= min(trained) <= max(trained) <= stop
        assert 30 <= stop <= 49
