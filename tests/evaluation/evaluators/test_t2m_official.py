from __future__ import annotations

import numpy as np
import pytest
import torch

from motionrft.errors import InputError
from motionrft.evaluation.evaluators.t2m.model import TextMotionMatch, Widths
from motionrft.evaluation.evaluators.t2m.official import load_official
from motionrft.evaluation.official import read_statistics
from motionrft.motion.normaliser import Normaliser
from reference.tolerance import rounding


@pytest.fixture
def release(tmp_path):
    """A small checkpoint in the official layout, with its statistics."""
    torch.manual_seed(0)
    source = TextMotionMatch(
        Widths(6, 5, 7, 4, 3), Normaliser(torch.randn(20), torch.rand(20) + 0.5), word=9, pos=15
    ).eval()
    state = {
        name: getattr(source, name).state_dict()
        for name in ("movement_encoder", "motion_encoder", "text_encoder")
    }
    torch.save(
        {**state, "opt_text_encoder": {"lr": 1.0}, "epoch": 3, "iter": 9}, tmp_path / "finest.tar"
    )
    np.save(tmp_path / "mean.npy", source.normaliser.mean.double().numpy())
    np.save(tmp_path / "std.npy", source.normaliser.std.double().numpy())
    return tmp_path, source


def test_the_official_file_loads_by_its_own_shapes(release):
    folder, source = release
    normaliser = read_statistics(folder / "mean.npy", folder / "std.npy")
    loaded, build, report = load_official(folder / "finest.tar", normaliser)
    motions = [torch.randn(12, 20), torch.randn(30, 20)]
    found, expected = loaded.embed_motions(motions), source.embed_motions(motions)
    torch.testing.assert_close(found, expected, **rounding(source))
    assert build["widths"] == vars(Widths(6, 5, 7, 4, 3))
    assert report.ignored == ["epoch", "iter", "opt_text_encoder"]
    assert "motion_encoder.gru.weight_ih_l0_reverse" in report.matched


def test_official_files_that_do_not_fit(release):
    folder, _ = release
    normaliser = read_statistics(folder / "mean.npy", folder / "std.npy")
    other = Normaliser(torch.zeros(30), torch.ones(30))
    with pytest.raises(InputError, match="reads 16 channels, 30 statistics give 26"):
        load_official(folder / "finest.tar", other)
    state = torch.load(folder / "finest.tar", weights_only=True)
    del state["motion_encoder"]["hidden"]
    torch.save(state, folder / "cut.tar")
    with pytest.raises(InputError, match=r"motion_encoder.hidden: tensor missing"):
        load_official(folder / "cut.tar", normaliser)
    del state["text_encoder"]
    torch.save(state, folder / "cut.tar")
    with pytest.raises(InputError, match="text_encoder: no such part"):
        load_official(folder / "cut.tar", normaliser)
    (folder / "cut.tar").write_bytes((folder / "finest.tar").read_bytes()[:2000])
    with pytest.raises(InputError, match="not a checkpoint of plain tensors"):
        load_official(folder / "cut.tar", normaliser)
    with pytest.raises(InputError, match="no such file"):
        load_official(folder / "none.tar", normaliser)
    np.save(folder / "std.npy", np.zeros(20))
    with pytest.raises(InputError, match=r"std.npy: the standard deviation of channel 0 is 0"):
        read_statistics(folder / "mean.npy", folder / "std.npy")
