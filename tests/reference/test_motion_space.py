"""The family of MDM and MotionDiffuse: all recorded numbers pass, and a changed number fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from reference.case import read_cases
from reference.run import verify, verify_case

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "backbones_motion_space"


def test_all_recorded_numbers_pass():
    checks = verify([FOLDER])
    assert {check.family for check in checks} == {"motion_space"}
    assert len(checks) == 161
    assert [check for check in checks if not check.passed] == []


@pytest.mark.parametrize("name", ["mdm_dec_clip_small", "motiondiffuse_noeff_small"])
def test_one_wrong_weight_or_an_unknown_tensor_fails(name):
    case = next(case for case in read_cases(FOLDER) if case.name == name)
    weights = [
        key for key in case.tensors if key.startswith("weights/") and "linear1.weight" in key
    ]
    case.tensors[weights[0]][0, 0] += 0.5
    case.tensors["io/novel"] = case.tensors["io/noise"]
    failed = {check.quantity for check in verify_case(case, {}) if not check.passed}
    assert "io/fwd_tmixed" in failed
    assert any("io/novel" in quantity for quantity in failed)
