"""Official lists of kept time-steps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionrft.diffusion.respacing import kept_timesteps
from motionrft.errors import InputError


@pytest.mark.parametrize(
    ("steps", "sections", "expected"),
    [
        (50, "ddim5", [0, 10, 20, 30, 40]),
        (50, "ddim50", list(range(50))),
        (1000, "ddim4", [0, 250, 500, 750]),
        (50, "ddim8", [0, 7, 14, 21, 28, 35, 42, 49]),  # 'leading' would stride 6 and stop at 42
        (50, "5", [0, 12, 24, 37, 49]),
        (1000, 3, [0, 500, 999]),
        (10, "1", [0]),
        (300, "2,3", [0, 149, 150, 224, 299]),
    ],
)
def test_official_lists_of_kept_timesteps(steps, sections, expected):
    assert kept_timesteps(steps, sections) == expected


@given(st.integers(1, 400), st.integers(1, 60))
def test_a_section_keeps_its_count_in_order(steps, count):
    if count > steps:
        with pytest.raises(InputError, match="respacing"):
            kept_timesteps(steps, count)
        return
    kept = kept_timesteps(steps, count)
    assert len(kept) == len(set(kept)) == count
    assert kept == sorted(kept)
    assert kept[0] == 0
    assert kept[-1] == (steps - 1 if count > 1 else 0)


@pytest.mark.parametrize("sections", ["ddim30", "ddimx", "51", "0", "3,x", ""])
def test_impossible_respacing_is_one_clear_error(sections):
    with pytest.raises(InputError, match="respacing"):
        kept_timesteps(50, sections)
