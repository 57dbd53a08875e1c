"""Options that several commands share."""

import pytest

from motionrft.cli import main
from motionrft.cli.options import tracking
from motionrft.configuration import ROOT
from motionrft.training.tracking import track


@pytest.mark.parametrize(
    ("out", "folder"),
    [("reward/semantic.safetensors", "reward/track/semantic"), ("mdm/seed0", "mdm/seed0/track")],
)
def test_numbers_of_a_training_go_beside_what_it_writes(tmp_path, out, folder):
    for run in ({}, {"track": "none"}):
        with tracking(run, tmp_path / out):
            track(0, {"loss": 1.0})
        assert not [*tmp_path.iterdir()]
    with tracking({"track": "tensorboard"}, tmp_path / out):
        track(0, {"loss": 1.0})
    [written] = (tmp_path / folder).iterdir()
    assert "tfevents" in written.name


def test_a_change_that_a_model_does_not_read_is_told(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    own = "override.backbones.mld.finetune.lr"
    changes = ["--set", "finetune.lr=2e-5", "--set", "finetune.clip=3", "--set", f"{own}=0.00012"]
    assert main(["config", *changes]) == 0
    said = capsys.readouterr()
    assert "  lr: 2.0e-05\n" in said.out
    [line] = said.err.splitlines()
    assert line.startswith("note: finetune.lr: 2e-05 does not reach every model: ")
    assert f"{own} is 0.00012" in line
