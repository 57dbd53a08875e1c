"""A section becomes a dataclass, or one line says what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from motionrft.errors import InputError
from motionrft.options import first_changed, read_options


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Outer:
    steps: int
    kind: Literal["a", "b"] = "a"
    betas: tuple[float, float] = (0.9, 0.999)
    on: bool = False
    name: str | None = None
    inner: Inner = field(default_factory=Inner)
    free: Mapping[str, Any] = field(default_factory=dict)
    listed: Sequence[int] = ()
    seed: int = 0


def test_lists_sections_and_given_values():
    section = {"steps": 3, "betas": [1, 0.5], "inner": {"sizes": [4, 5]}, "free": {"x": None}}
    options = read_options(Outer, section, seed=7)
    expected = Outer(3, betas=(1, 0.5), inner=Inner(sizes=(4, 5)), free={"x": None}, seed=7)
    assert options == expected
    assert read_options(Outer, {"steps": 1, "inner": Inner(0.1)}).inner.rate == 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"stpes": 1},
            r"run.yaml: part\.stpes: unknown key 'stpes'.*did you mean steps\?.*known keys: betas",
        ),
        ({"seed": 1}, r"unknown key 'seed'"),
        ({"steps": 2.5}, r"part\.steps: 2\.5 does not fit.*a whole number"),
        ({"steps": True}, r"part\.steps: True does not fit"),
        ({"steps": "12"}, r"part\.steps: '12' does not fit"),
        ({"on": 1}, r"part\.on: 1 does not fit.*true or false"),
        ({"kind": "c"}, r"part\.kind: 'c' does not fit.*one of a, b"),
        ({"betas": [0.9]}, r"part\.betas: \[0\.9\] does not fit.*a list of 2"),
        ({"betas": [0.9, "x"]}, r"part\.betas\[1\]: 'x' does not fit.*a number"),
        ({"betas": 0.9}, r"part\.betas: 0\.9 does not fit.*a list"),
        ({"name": 3}, r"part\.name: 3 does not fit.*a text"),
        ({"inner": {"rat": 1}}, r"part\.inner\.rat: unknown key 'rat'"),
        ({"inner": 3}, r"part\.inner: 3 is not a section"),
        ({"inner": {"rate": "1e-5"}}, r"part\.inner\.rate: '1e-5' does not fit"),
        ({"free": 3}, r"part\.free: 3 does not fit.*a section"),
        ({"listed": "ab"}, r"part\.listed: 'ab' does not fit.*a list"),
    ],
)
def test_one_line_for_a_mistake(change, message):
    with pytest.raises(InputError, match=message):
        read_options(Outer, {"steps": 1, **change}, where="run.yaml", field="part", seed=0)


def test_a_missing_key_is_named():
    with pytest.raises(InputError, match=r"part\.steps: missing"):
        read_options(Outer, {}, field="part")


def test_the_first_option_that_differs_is_named():
    assert first_changed({"heads": False, "kernel": True, "schedule": True}) == "kernel"
    assert first_changed({"heads": False}) == ""
