"""Options that several commands share."""

import pytest

from motionrft.cli.options import tracking
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
