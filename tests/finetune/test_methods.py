"""The draws of each method, and settings that cannot work."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

import pytest

from motionrft.errors import InputError
from motionrft.finetune import method
from motionrft.finetune.method import read_method
from motionrft.finetune.methods.alignprop import AlignProp
from motionrft.finetune.methods.draft import Draft
from motionrft.finetune.methods.drtune import DRTune
from motionrft.finetune.methods.easytune import EasyTune
from motionrft.finetune.methods.refl import Refl
from motionrft.finetune.window import Window, step_weight


@pytest.mark.parametrize(
    "make",
    [
        lambda: Refl(50, m=0),
        lambda: Refl(50, m=51),
        lambda: Refl(50, m=1, draw="easytune"),
        lambda: Draft(50, k=0),
        lambda: Draft(50, k=51),
        lambda: Draft(50, k=2, lv=1),
        lambda: AlignProp(50, prob=0.0),
        lambda: AlignProp(50, rule="none"),
        lambda: DRTune(50, k=0),
        lambda: DRTune(50, k=40, m=20),
        lambda: DRTune(50, k=30, m=40, grid="easytune"),
        lambda: EasyTune(50, window={"kind": "last", "k": 51}),
        lambda: EasyTune(50, window={"kind": "listed", "listed": []}),
        lambda: EasyTune(50, window={"kind": "listed", "listed": [50]}),
        lambda: EasyTune(50, window={"size": 3}),
        lambda: EasyTune(50, variant="both"),
        lambda: EasyTune(50, form="clean"),
    ],
)
def test_invalid_settings_are_rejected_when_made(make):
    with pytest.raises(InputError):
        make()


def test_refl_draws_from_the_last_m_and_the_released_code_from_one_less():
    rng = random.Random(0)
    assert {Refl(50, m=10).step(rng) for _ in range(500)} == set(range(40, 50))
    assert {Refl(50, m=10, draw="easytune").step(rng) for _ in range(500)} == set(range(41, 50))


def test_alignprop_rules():
    rng = random.Random(0)
    masks = [AlignProp(50, prob=0.1).draw(rng) for _ in range(2000)]
    assert all(masks)
    # given not empty: 5 / (1 - 0.9^50)
    assert sum(map(len, masks)) / 2000 == pytest.approx(5.026, rel=0.05)
    counts = Counter(i for _ in range(3000) for i in AlignProp(50, rule="trl").draw(rng))
    assert counts[49] / 3000 == pytest.approx(50 / 51, abs=0.02)
    assert counts[9] / 3000 == pytest.approx(10 / 51, abs=0.03)
    cuts = [min(AlignProp(50, rule="gaussian").draw(rng)) for _ in range(3000)]
    assert sum(cuts) / 3000 == pytest.approx(41.1, abs=0.4)
    assert max(cuts) <= 49
    assert AlignProp(50, rule="fixed").draw(rng) == {49}


def test_drtune_grids():
    rng = random.Random(0)
    released = [DRTune(50, k=10, m=10, grid="easytune").draw(rng) for _ in range(500)]
    assert {tuple(sorted(trained)) for trained, _ in released} == {tuple(range(0, 50, 5))}
    for trained, stop in (DRTune(50, k=3, m=20).draw(rng) for _ in range(500)):
        assert len(trained) == 3
        assert 0 <= min(trained) <= max(trained) <= stop
        assert 30 <= stop <= 49


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


def test_counts_given_of_fifty_steps_scale_with_the_sampler():
    settings = {
        "name": "x",
        "family": "easytune",
        "options": {"of": 50, "window": {"kind": "last", "k": 10}},
    }
    assert [read_method(settings, T, "one_step").window.k for T in (1, 4, 10, 50)] == [1, 1, 2, 10]
    assert read_method({"family": "draft", "options": {"of": 50, "k": 50}}, 10, "one_step").k == 10
    with pytest.raises(InputError, match="unknown option"):
        read_method({"family": "draft", "options": {"m": 3}}, 10, "one_step")
    with pytest.raises(InputError, match="unknown method family"):
        read_method({"family": "loop"}, 10, "one_step")


def test_the_form_is_the_backbones_unless_a_method_names_one(monkeypatch):
    """Of any method that has the option, also one that is no EasyTune; others have none to set."""

    @dataclass(frozen=True)
    class Either(Draft):
        form: str = "one_step"

    families = {"either": Either, "easytune": EasyTune, "draft": Draft}
    monkeypatch.setattr(method, "method_family", families.__getitem__)
    for family, options in (("either", {"k": 1}), ("easytune", {})):
        own = {"family": family, "options": {**options, "form": "one_step"}}
        assert read_method(own, 5, "noise_aware").form == "one_step"
        bare = {"family": family, "options": options}
        assert read_method(bare, 5, "noise_aware").form == "noise_aware"
        assert bare["options"] == options  # the configuration is left as it is
    assert read_method({"family": "draft", "options": {"k": 1}}, 5, "noise_aware") == Draft(5, k=1)


def test_noise_above_the_trained_range_falls_back_to_the_one_step_form(cases):
    from dataclasses import replace

    from reference.families.finetuning import Toy

    toy = Toy(cases["ddpm_x0_tanh"])
    rollout = replace(toy.rollout(toy.backbone()), trusted=lambda i: i >= 3)
    events = [
        e
        for g in EasyTune(5, window={"kind": "all"}, form="noise_aware").events(rollout)
        for e in g
    ]
    assert [event.level for event in events] == [None, None, 3, 4, 5]
    switched = EasyTune(5, window={"kind": "all"}, form="noise_aware", one_step_before=4)
    assert [e.level for g in switched.events(rollout) for e in g] == [None] * 4 + [5]
