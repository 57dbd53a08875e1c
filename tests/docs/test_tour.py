"""docs/tour.md: what it leads through is there, and no more than an evening holds."""

import ast
import io
import re
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
STOPS = re.findall(r"^\d+\. `([^`]+\.py)`", PAGE, re.M)
LINES = 2000
SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def test_every_stop_exists_and_is_visited_once():
    assert len(STOPS) > 20
    assert len(set(STOPS)) == len(STOPS)
    assert [stop for stop in STOPS if not (ROOT / stop).is_file()] == []


def test_other_files_that_it_names_exist():
    names = re.findall(r"`((?:motionrft|reference|tests)/[^`]+\.py)`", PAGE)
    assert [name for name in names if not (ROOT / name).is_file()] == []


def test_an_evening_is_enough():
    lines = {stop: lines_of_code((ROOT / stop).read_text(encoding="utf-8")) for stop in STOPS}
    assert sum(lines.values()) <= LINES, lines


def lines_of_code(source: str) -> int:
    """Lines that hold anything but comments and docstrings."""
    words: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
            node
        ):
            words |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in SILENT:
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(code - words)


def test_lines_of_code():
    source = '"""Two\nlines."""\n\n# a comment\nx = (\n    1  # one\n)\n\n\ndef f():\n    """Text."""\n    return x\n'
    assert lines_of_code(source) == 5
