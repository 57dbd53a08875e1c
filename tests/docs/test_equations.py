"""docs/equations.md: every row names code that can be imported and a test that is collected."""

from __future__ import annotations

import ast
import importlib
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "equations.md").read_text(encoding="utf-8")
TABLES = re.findall(r"^\| equation \|.*\n\|---.*\n((?:\|.*\n)+)", PAGE, re.M)
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
    for table in TABLES
    for line in table.splitlines()
]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_row_has_four_cells():
    assert len(ROWS) >= 40
    assert all(len(row) == 4 for row in ROWS), [row for row in ROWS if len(row) != 4]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2].strip("`"))
def test_both_ends_of_a_row(row):
    equation, source, code, tests = row
    assert equation
    assert source
    assert quoted(code)
    assert quoted(tests)
    for place in quoted(code):
        module, _, name = place.partition(":")
        value = importlib.import_module(module)
        for part in name.split("."):
            value = getattr(value, part)
        assert callable(value), place
    for place in quoted(tests):
        path, _, name = place.partition("::")
        assert name in collected(ROOT / path), place


@cache
def collected(path: Path) -> set[str]:
    """The names of a file's tests, `test_x` or `TestX::test_y`."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names |= {f"{node.name}::{f.name}" for f in node.body if isinstance(f, ast.FunctionDef)}
    return {name for name in names if name.split("::")[-1].startswith("test")}
