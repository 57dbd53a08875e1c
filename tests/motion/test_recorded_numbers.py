"""The families of `verify` on the shipped reference files, and that they can fail."""

import pytest
from recorded_clips import FIXTURES

from reference.case import Case, read_cases
from reference.families import acmdm67, features, rotation135

FAMILIES = {
    "features_t2m": (features, 100),
    "features_kit": (features, 30),
    "rot135": (rotation135, 15),
    "acmdm_back67": (acmdm67, 15),
}


def run(case: Case) -> Case:
    family, _ = FAMILIES[case.name]
    assert family.recognises(case)
    family.check(case, {case.name: case})
    return case


def case(name: str) -> Case:
    return next(one for one in read_cases(FIXTURES) if one.name == name)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_recorded_number_is_checked_and_passes(name: str):
    checked = run(case(name))
    assert not [check for check in checked.checks if not check.passed]
    assert checked.untouched() == []
    assert len(checked.checks) >= FAMILIES[name][1]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("features_t2m", "spin.features"),
        ("features_t2m", "stand.recovered_rot"),
        ("features_t2m", "mirror.out"),
        ("features_kit", "kit_walk.uniform"),
        ("rot135", "joints_from_135"),
        ("acmdm_back67", "crouch.feat67_padded128"),
    ],
)
def test_a_wrong_number_is_found(name: str, key: str):
    changed = case(name)
    changed.tensors[key] = changed.tensors[key].clone()
    changed.tensors[key].view(-1)[5] += 0.1
    assert [check for check in run(changed).checks if not check.passed]


def test_other_names_and_lengths_are_checked_as_well():
    original = case("features_t2m")
    tensors = {"target_offsets": original.tensors["target_offsets"]}
    for key, value in original.tensors.items():
        clip, _, kind = key.partition(".")
        if clip == "jump":
            tensors[f"other_clip.{kind}"] = value
    other = Case("features_t2m", FIXTURES, tensors, {})
    assert run(other).untouched() == []
    assert all(check.passed for check in other.checks)
    assert len(other.checks) >= 10
