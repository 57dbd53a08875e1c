"""Networks of frames whose embedded frames are averaged over their neighbours (`network.temporal_kernel`)."""

from __future__ import annotations

import pytest
import torch

from motionrft.errors import InputError
from tests.backbones.mdm import small_mdm
from tests.backbones.motiondiffuse import small_motiondiffuse
from tests.same import assert_same


@pytest.mark.parametrize("small", [small_mdm, small_motiondiffuse], ids=["mdm", "motiondiffuse"])
@pytest.mark.usefixtures("float64")
def test_frames_are_averaged_over_as_many_before_as_after(small):
    with pytest.raises(InputError, match=r"temporal_kernel.*odd"):
        small.make(temporal_kernel=4)
    model, given = small.make(temporal_kernel=3), small.condition([24, 24])
    x, t = torch.randn(2, 24, small.DIM), torch.tensor([3, 9])
    assert model.unofficial == "temporal_kernel"
    near = model.predict(x, t, given)
    with torch.no_grad():  # the frame itself alone
        model.near_frames.weight.zero_()[:, :, 1] = 1
    itself = model.predict(x, t, given)
    assert (itself - near).abs().max() > 1e-3
    plain = small.make()
    plain.load_state_dict(
        {name: value for name, value in model.state_dict().items() if "near_frames" not in name}
    )
    assert_same(itself, plain.predict(x, t, given))
