"""Options of MDM that cannot be."""

from __future__ import annotations

import pytest

from motionrft.errors import InputError
from tests.backbones.mdm.small_mdm import make


@pytest.mark.parametrize(
    "options",
    [
        {"arch": "unet"},
        {"text": "bert"},
        {"emb_policy": "concat"},
        {"pos_embed_max_len": 10},
        {"width": 3},
    ],
)
def test_impossible_options_name_the_field(options):
    with pytest.raises(InputError, match="network"):
        make(**options)
