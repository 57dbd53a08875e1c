from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from motionrft.cli import main
from reference.case import read_cases
from reference.run import verify_case

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "data_eval"
FAMILY = {
    "evaluator": "evaluator",
    "metrics": "metrics",
    "word_pos": "words",
    "acmdm_back67": "acmdm67",
    "rot135": "rotation135",
}


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
        ("acmdm_back67", ("info", "jump", "pad_frame_absmax"), 0.3767),
        ("acmdm_back67", ("info", "crouch", "pad_vs_nopad_evalnorm_max"), 0.375),
        ("acmdm_back67", ("info", "dance41", "extra"), 1.0),
        ("rot135", ("more",), 1.0),
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


def test_distances_between_two_files_of_a_set_are_measured(tmp_path):
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "acmdm_back67.json"
    meta = json.loads(path.read_text())
    meta["info"]["jump"]["vs_official263_max"] += 3e-5
    path.write_text(json.dumps(meta))
    failed = [check.quantity for check in checks(tmp_path, "acmdm_back67") if not check.passed]
    assert failed == ["info.jump.vs_official263_max"]


def test_a_case_that_cannot_be_checked_fails_and_the_others_are_checked(tmp_path, capsys):
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    tensors = load_file(tmp_path / "evaluator.safetensors")
    del tensors["motion_encoder.hidden"]
    save_file(tensors, tmp_path / "evaluator.safetensors")
    (tmp_path / "features_t2m.safetensors").unlink()
    assert main(["verify", str(tmp_path), "--failures-only"]) == 1
    printed = capsys.readouterr().out
    assert "stopped: InputError" in printed
    assert "hidden" in printed
    assert "no family recognises this case" in printed
    assert main(["verify", str(FIXTURES)]) == 0
