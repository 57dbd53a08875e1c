"""A method from its configuration."""

from __future__ import annotations

import sys

import pytest

from motionrft.errors import InputError
from motionrft.finetune import methods
from motionrft.finetune.method_options import read_method
from motionrft.finetune.methods.draft import Draft
from motionrft.finetune.methods.refl import Refl
from motionrft.finetune.released import ReleasedDRTune, ReleasedEasyTune, ReleasedRefl


def test_counts_given_of_fifty_steps_scale_with_the_sampler():
    settings = {
        "name": "x",
        "family": "easytune",
        "options": {"of": 50, "window": {"kind": "last", "k": 10}},
    }
    assert [read_method(settings, T, "one_step").window.k for T in (1, 4, 10, 50)] == [1, 1, 2, 10]
    assert read_method({"family": "draft", "options": {"of": 50, "k": 50}}, 10, "one_step").k == 10
    with pytest.raises(InputError, match="unknown key"):
        read_method({"family": "draft", "options": {"m": 3}}, 10, "one_step")
    with pytest.raises(InputError, match=r"options\.window.*unknown key 'size'"):
        read_method({"family": "easytune", "options": {"window": {"size": 3}}}, 10, "one_step")
    with pytest.raises(InputError, match="unknown method family"):
        read_method({"family": "loop"}, 10, "one_step")


EITHER = """
from dataclasses import dataclass
from motionrft.finetune.methods.draft import Draft

@dataclass(frozen=True)
class Either(Draft):
    form: str = "one_step"

METHOD = Either
"""


def test_the_form_is_the_backbones_unless_a_method_names_one(tmp_path, monkeypatch):
    """Of any method that has the option, also one that is no EasyTune; others have none to set."""
    (tmp_path / "either.py").write_text(EITHER)
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "motionrft.finetune.methods.either", raising=False)
    for family, options in (("either", {"k": 1}), ("easytune", {})):
        own = {"family": family, "options": {**options, "form": "one_step"}}
        assert read_method(own, 5, "noise_aware").form == "one_step"
        bare = {"family": family, "options": options}
        assert read_method(bare, 5, "noise_aware").form == "noise_aware"
        assert bare["options"] == options  # the configuration is left as it is
    assert read_method({"family": "draft", "options": {"k": 1}}, 5, "noise_aware") == Draft(5, k=1)


def test_released_behaviour_is_a_class_of_its_own():
    def read(family, **options):
        return read_method({"family": family, "options": options}, 50, "noise_aware")

    assert read("refl", draw="easytune") == ReleasedRefl(50)
    assert read("refl", draw="all") == Refl(50)
    assert type(read("drtune", grid="easytune", k=10, m=10)) is ReleasedDRTune
    easytune = read("easytune", one_step_before=20, of=100)
    assert type(easytune) is ReleasedEasyTune
    assert easytune.one_step_before == 10
    assert easytune.form == "noise_aware"
