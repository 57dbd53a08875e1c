"""Three formats of every table; the paper's number beside ours."""

import csv
import io

import pytest

from motionrft.reporting.columns import GENERATION
from motionrft.reporting.render import beside, to_csv, to_markdown, to_tex
from motionrft.reporting.table import Cell
from motionrft.reporting.tables import build, names


@pytest.mark.parametrize("name", names())
def test_three_formats(records, name):
    table = build(name, records)
    rows = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert len(rows) == len(table.rows)
    for entry, made in zip(rows, table.rows, strict=True):
        for column in table.columns:
            mean = made.cells[column.key].mean
            assert entry[f"{column.key} mean"] == ("" if mean is None else str(mean))
    assert to_markdown(table).count("\n| ") == len(rows) + 2
    tex = to_tex(table)
    assert tex.count(r"\toprule") == tex.count(r"\bottomrule") == 1
    assert all(
        line.count("&") == len(table.label_heads) + len(table.columns) - 1
        for line in tex.splitlines()
        if line.endswith(r"\\")
    )


def test_beside_the_paper_only_where_comparable():
    cell = Cell(0.590, 0.004, paper=0.581, paper_half=0.003)
    assert cell.within is False
    assert beside(cell, GENERATION[0], True) == "paper 0.581±0.003, difference +0.009, outside"
    assert beside(cell, GENERATION[0], False) == "paper 0.581±0.003"
    assert Cell(0.583, 0.004, paper=0.581, paper_half=0.003).within is True
    assert Cell(0.583, paper=0.581).within is None
