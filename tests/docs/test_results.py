"""docs/results is what the tables' code makes of the records that lie there."""

from __future__ import annotations

import csv
import io
import re

import pytest

from motionrft.configuration import ROOT
from motionrft.files import digest
from motionrft.reporting.render import to_csv
from motionrft.reporting.results_page import kept_runs, page_text
from motionrft.reporting.stored import draw, kept_tables

FOLDER = ROOT / "docs" / "results"
RUNS = kept_runs(FOLDER)


def same(made: str, kept: str) -> bool:
    """Equal but for the last bits of numbers, in which processors differ."""
    number = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")
    numbers = [[float(value) for value in number.findall(text)] for text in (made, kept)]
    return number.sub("#", made) == number.sub("#", kept) and numbers[0] == pytest.approx(
        numbers[1], rel=1e-4, abs=2e-3
    )


@pytest.mark.parametrize("records", RUNS, ids=lambda records: records.folder.name)
def test_the_tables_are_those_of_the_records(records):
    made = kept_tables(records)
    assert {path.stem for path in (records.folder / "tables").iterdir()} == set(made)
    for name, table in made.items():
        kept = (records.folder / "tables" / f"{name}.csv").read_text(encoding="utf-8")
        found, rows = (list(csv.reader(io.StringIO(text))) for text in (to_csv(table), kept))
        assert len(found) == len(rows)
        for mine, theirs in zip(found, rows, strict=True):
            for one, other in zip(mine, theirs, strict=True):
                assert one == other or float(one) == pytest.approx(float(other), rel=1e-6), name


@pytest.mark.parametrize("records", RUNS, ids=lambda records: records.folder.name)
def test_the_figures_are_drawn_from_the_records(records, tmp_path):
    drawn = {path.name for path in draw(records, tmp_path)}
    assert {path.name for path in (records.folder / "figures").iterdir()} == drawn


def test_the_page_is_that_of_the_records():
    assert same(page_text(RUNS), (FOLDER / "README.md").read_text(encoding="utf-8"))


def test_every_number_of_a_page_that_quotes_a_result_stands_there():
    """A sentence of README or docs that links docs/results quotes only numbers of its page."""
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for paragraph in path.read_text(encoding="utf-8").split("\n\n"):
            if "docs/results" in paragraph or "(results/README.md" in paragraph:
                for number in re.findall(r"(?<![\w.])\d*\.\d+", paragraph):
                    assert re.search(rf"(?<![\d.])0?{re.escape(number.lstrip('0'))}(?!\d)", page), (
                        path.name,
                        number,
                    )


def test_the_front_page_counts_claims_as_the_results_do():
    """README's table: the same claims in the same order, without their sources and runs."""
    front = (ROOT / "README.md").read_text(encoding="utf-8")
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    counted = [[row[0], *row[2:6]] for row in table_below(page, "How often each claim")]
    assert table_below(front, "What holds, and what does not") == counted


def table_below(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    rows = page.partition(f"## {heading}")[2].partition("\n|")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in row.strip("| ").split("|")] for row in rows.split("\n")[2:]]


def test_nothing_kept_names_a_machines_paths_or_host():
    for path in FOLDER.rglob("*"):
        if path.suffix in {".json", ".yaml", ".md", ".csv", ".html"}:
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"(?<![\w.…])/(home|work|tmp|root|data|mnt|scratch)/", text), path
            assert '"host"' not in text, path


@pytest.mark.parametrize("records", RUNS, ids=lambda records: records.folder.name)
def test_it_is_small(records):
    # the largest has 301 evaluations of 684 prompts
    assert (
        sum(path.stat().st_size for path in records.folder.rglob("*") if path.is_file()) < 3_500_000
    )
    assert (records.folder / "report.html").stat().st_size < 1_500_000
    assert re.fullmatch("[0-9a-f]{12}", records.about["configuration"])
    assert digest({}) != records.about["configuration"]
