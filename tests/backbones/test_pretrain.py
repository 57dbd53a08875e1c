"""Pre-training: deterministic, self-describing, refusals in one line."""

import pytest
import torch

from motionrft.backbones.io import load_backbone
from motionrft.cli import main
from motionrft.configuration import dump, resolve
from tests.backbones.conftest import RUN, pretrain


def test_pretraining_is_deterministic_and_describes_itself(run, tmp_path):
    assert pretrain(run, tmp_path / "a.safetensors") == 0
    assert pretrain(run, tmp_path / "b.safetensors") == 0
    first, about = load_backbone(tmp_path / "a.safetensors")
    second, _ = load_backbone(tmp_path / "b.safetensors")
    for (name, a), (_, b) in zip(
        first.state_dict().items(), second.state_dict().items(), strict=True
    ):
        assert torch.equal(a, b), name
    assert about["backbone"]["name"] == "mdm"
    assert about["provenance"]["seed"] == 0
    assert not list(tmp_path.glob("*.checkpoint"))
    assert (tmp_path / "denoiser.history.parquet").exists()
    assert pretrain(run, tmp_path / "c.safetensors", "--seed", "1") == 0
    third, _ = load_backbone(tmp_path / "c.safetensors")
    assert any(
        not torch.equal(a, b) for a, b in zip(first.parameters(), third.parameters(), strict=True)
    )


@pytest.mark.parametrize(
    ("extra", "change", "message"),
    [
        ([], {"backbone": "mdmm"}, "unknown backbone 'mdmm'. Fix: did you mean mdm?"),
        ([], {"stage": "vae"}, "no such stage"),
        (["--device", "tpu9"], {}, "unknown device"),
    ],
)
def test_bad_requests_are_one_line_and_write_nothing(run, tmp_path, capsys, extra, change, message):
    assert pretrain(run, tmp_path / "out/x.safetensors", *extra, **change) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert message in errors[-1]
    assert "Fix:" in errors[-1]
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is visible")
def test_a_gpu_that_is_not_there_is_one_line(run, tmp_path, capsys):
    assert pretrain(run, tmp_path / "x.safetensors", "--device", "cuda") == 2
    assert "no GPU is visible" in capsys.readouterr().err


def test_a_file_of_another_shape_is_refused(run, tmp_path, capsys):
    assert pretrain(run, tmp_path / "a.safetensors") == 0
    wider = tmp_path / "wide.yaml"
    change = {
        **RUN,
        "override": {
            "backbones": {
                "mdm": {"network": {"latent_dim": 24, "ff_size": 16, "layers": 1, "heads": 2}}
            }
        },
    }
    wider.write_text(dump(resolve(change)), encoding="utf-8")
    code = main(
        [
            "pretrain",
            "--config",
            str(wider),
            "--backbone",
            "mdm",
            "--stage",
            "denoiser",
            "--features",
            str(run / "features"),
            "--text",
            str(run / "text/toy.safetensors"),
            "--from",
            str(tmp_path / "a.safetensors"),
            "--out",
            str(tmp_path / "b.safetensors"),
        ]
    )
    assert code == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "a.safetensors" in error
    assert "shape" in error
    assert not (tmp_path / "b.safetensors").exists()
