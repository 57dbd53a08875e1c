"""Shapes of text features are those that config/text says of its encoders."""

from __future__ import annotations

import pytest

from motionrft.configuration import part
from motionrft.text.shapes import text_shapes, widths_of

ENCODERS = {
    name: entry for size in ("paper", "small") for name, entry in part("text", size, "").items()
}


@pytest.mark.parametrize("name", ENCODERS)
def test_shapes_have_the_widths_of_the_section(name):
    encoder = ENCODERS[name]
    said = encoder.get("widths") or {"pooled": encoder["width"], "tokens": encoder["width"]}
    assert widths_of(encoder) == said
    batch = text_shapes(encoder, 3)
    assert batch.pooled.shape == (3, said["pooled"])
    assert (len(batch.tokens), batch.tokens.shape[2]) == (3, said["tokens"])
    assert (batch.tokens.shape[1] == 0) == (encoder.get("keep") == "pooled")


def test_an_encoder_that_says_no_widths_is_taken_for_the_papers():
    assert widths_of({"kind": "bert", "source": "some/other"}) == ENCODERS["t5"]["widths"]
