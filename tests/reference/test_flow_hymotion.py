"""The family of HY-Motion's records: all numbers pass, a changed weight fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from reference.case import Case, read_cases
from reference.run import verify_case

FIXTURES = Path(__file__).parents[1] / "fixtures" / "backbones_flow"


@pytest.fixture
def case():
    return next(case for case in read_cases(FIXTURES) if case.name == "hymotion_mmdit_small")


def test_recorded_numbers(case):
    checks = verify_case(case, {})
    assert len(checks) >= 35
    assert [check for check in checks if not check.passed] == []


def test_a_wrong_weight_is_noticed(case):
    key = "weights/motion_transformer.single_blocks.1.k_norm.weight"
    tensors = {**case.tensors, key: case.tensors[key] * 1.05}
    spoilt = Case(case.name, case.folder, tensors, case.meta)
    assert any(not check.passed for check in verify_case(spoilt, {}))
