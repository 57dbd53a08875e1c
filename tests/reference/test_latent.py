"""The families of MLD's and MotionLCM's records, under other names too; a wrong number fails."""

from __future__ import annotations

from pathlib import Path

from reference.run import verify

FIXTURES = Path(__file__).parents[1] / "fixtures" / "backbones_latent"


def test_recorded_numbers():
    checks = verify([FIXTURES])
    assert [check for check in checks if not check.passed] == []
    assert {check.case for check in checks} == {
        "mld_v1_small",
        "mldpp_small",
        "motionlcm_v1_small",
        "motionlcm_v2_small",
    }
    assert len(checks) > 200


def test_recorded_numbers_under_other_names_and_a_wrong_one(tmp_path):
    for number, name in enumerate(["motionlcm_v2_small", "mldpp_small"]):
        for suffix in (".json", ".safetensors"):
            (tmp_path / f"set{number}{suffix}").write_bytes(
                (FIXTURES / f"{name}{suffix}").read_bytes()
            )
    assert all(check.passed for check in verify([tmp_path]))
    text = (tmp_path / "set0.json").read_text().replace('"huber_c": 0.5', '"huber_c": 0.25')
    (tmp_path / "set0.json").write_text(text)
    wrong = {check.quantity for check in verify([tmp_path]) if not check.passed}
    assert wrong == {"scalars/distill/huber_loss", "scalars/distill_grad_norms"}
