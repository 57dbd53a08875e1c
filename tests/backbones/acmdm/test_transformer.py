"""The base of rotary positions."""

from __future__ import annotations

import pytest

from motionrft.backbones.acmdm.transformer import rope_base


@pytest.mark.parametrize(("tokens", "base"), [(49, 200), (196, 500), (49 * 11, 1400), (132, 400)])
def test_rope_base(tokens, base):
    assert rope_base(tokens) == base
