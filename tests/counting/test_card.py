"""Cards by name, and how long work takes on one."""

from __future__ import annotations

import pytest

from motionrft.counting.card import LAUNCH, PRODUCTS, TRAFFIC, card_here, card_named
from motionrft.counting.costs import Line, Work, WorkLine
from motionrft.errors import InputError


@pytest.mark.parametrize(
    ("name", "card", "memory"),
    [
        ("H100", "H100", 80),
        ("H100 80GB", "H100", 80),
        ("NVIDIA A100-SXM4-40GB", "A100", 40),
        ("a100 40gb", "A100 40GB", 40),
        ("NVIDIA GeForce RTX 4090", "RTX 4090", 24),
        ("48", "A100s", 48),
        ("24GB", "A100s", 24),
    ],
)
def test_a_card_by_its_name_or_its_memory(name, card, memory):
    found = card_named(name)
    assert (found.name, found.memory) == (card, memory)


@pytest.mark.parametrize("name", ["Voodoo2", "", "0"])
def test_an_unknown_card_is_refused(name):
    with pytest.raises(InputError, match="--card"):
        card_named(name)


def test_work_takes_its_products_and_its_traffic_or_its_launches():
    card = card_named("A100")
    large = Work(1e15, 1e12, 10)
    assert card.seconds(large) == pytest.approx(1e15 / PRODUCTS / 156e12 + 1e12 / TRAFFIC / 2e12)
    assert card.seconds(large, "bf16") < card.seconds(large) < card.seconds(large, "fp32")
    assert card.seconds(Work(1.0, 1.0, 1000)) == pytest.approx(1000 * LAUNCH)


def test_the_card_of_this_machine_is_what_its_driver_says(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert card_here() is None
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 81559'\n")
    driver.chmod(0o755)
    here = card_here()
    assert here is not None
    assert here.name == "NVIDIA H100 80GB HBM3"
    assert here.memory == pytest.approx(79.6, abs=0.1)
    assert here.bandwidth == card_named("H100").bandwidth


def test_a_line_lies_above_both_points_where_a_row_has_a_least_share():
    line = Line.through(2, 30.0, 4, 31.0, least=10.0)
    assert (line(2), line(4), line(256)) == (30.0, 50.0, 2570.0)
    assert Line.through(2, 10.0, 4, 16.0) == Line(4.0, 3.0)
    works = WorkLine.through(1, Work(2.0, 4.0, 7.0), 2, Work(4.0, 6.0, 9.0))
    assert works(3) == Work(6.0, 8.0, 9.0)
    assert WorkLine.read(works.written()) == works
