from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from motionrft.verify.case import read_cases
from motionrft.verify.run import verify_case

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "data_eval"
FAMILY = {"evaluator": "evaluator", "metrics": "metrics", "word_pos": "words"}


def checks(folder: Path, name: str):
    cases = {case.name: case for case in read_cases(folder)}
    return verify_case(cases[name], cases)


@pytest.fixture
def copy(tmp_path):
    """Copies a recorded set under another name, so that it is known by its content."""

    def make(name: str) -> Path:
        for suffix in (".json", ".safetensors"):
            if (FIXTURES / f"{name}{suffix}").exists():
                shutil.copy(FIXTURES / f"{name}{suffix}", tmp_path / f"mine{suffix}")
        return tmp_path

    return make


@pytest.mark.parametrize("name", FAMILY)
def test_recorded_numbers_pass_under_any_name(name, copy):
    found = checks(copy(name), "mine")
    assert {check.family for check in found} == {FAMILY[name]}
    assert [check.quantity for check in found if not check.passed] == []
    assert len(found) >= 3


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("metrics", ("FID",), 1.3955),
        ("metrics", ("tmr_bs32_m2t_shuffled", "R3"), 79.2),
        ("metrics", ("ai_eval_official", "fp"), 11),
        ("word_pos", ("pos", "DET"), 3),
        ("evaluator", ("cfg", "B"), 8),
    ],
)
def test_a_wrong_number_fails(name, path, value, copy):
    folder = copy(name)
    meta = json.loads((folder / "mine.json").read_text())
    place = meta
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    (folder / "mine.json").write_text(json.dumps(meta))
    assert any(not check.passed for check in checks(folder, "mine"))


def test_a_number_or_tensor_nobody_checks_fails(copy):
    folder = copy("metrics")
    meta = json.loads((folder / "mine.json").read_text())
    meta["critic_eval_official"]["kappa"] = 0.5
    meta["more"] = [{"deep": 1}]
    (folder / "mine.json").write_text(json.dumps(meta))
    tensors = load_file(folder / "mine.safetensors")
    save_file({**tensors, "extra": tensors["gt"].clone()}, folder / "mine.safetensors")
    failed = [check.quantity for check in checks(folder, "mine") if not check.passed]
    assert sorted(name.split(" ")[0] for name in failed) == [
        "critic_eval_official.kappa",
        "extra",
        "more",
    ]


def test_a_changed_embedding_fails(copy):
    folder = copy("evaluator")
    tensors = load_file(folder / "mine.safetensors")
    tensors["motion_encoder.hidden"][0, 0, 0] += 0.1
    save_file(tensors, folder / "mine.safetensors")
    failed = [check.quantity for check in checks(folder, "mine") if not check.passed]
    assert "motion_embedding" in failed
    assert "text_embedding" not in failed
