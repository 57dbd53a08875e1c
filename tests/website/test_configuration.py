"""The configuration reference has every key of every schema, with its default and what it is."""

import re
from collections.abc import Iterator

import pytest
import yaml

from motionrft.configuration.schema import SCHEMAS
from website import configuration

NAMES = sorted(path.name.removesuffix(".schema.yaml") for path in SCHEMAS.glob("*.schema.yaml"))


@pytest.fixture(scope="module")
def pages():
    return {name: configuration.page(name) for name in configuration.PAGES}


def names_in(part: object) -> Iterator[str]:
    """Every name under any `properties`, wherever it stands in the file."""
    if isinstance(part, dict):
        if isinstance(part.get("properties"), dict):
            yield from part["properties"]
        for value in part.values():
            yield from names_in(value)
    elif isinstance(part, list):
        for value in part:
            yield from names_in(value)


def test_every_schema_is_on_one_page():
    shown = [name for page in configuration.PAGES for name in configuration.names(page)]
    assert sorted(shown) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_key_of_a_schema_has_a_row(name, pages):
    written = yaml.safe_load((SCHEMAS / f"{name}.schema.yaml").read_text(encoding="utf-8"))
    page = next(page for page in configuration.PAGES if name in configuration.names(page))
    places = re.findall(r"^\| <code>(.*?)</code>", pages[page], re.M)
    last = {place.replace("<wbr>", "").rpartition(".")[2] for place in places}
    assert set(names_in(written)) <= last


def test_a_row_says_value_defaults_and_meaning(pages):
    [row] = [
        line
        for line in pages["run"].splitlines()
        if "<code>batch_size</code>" in line and "prompts" in line
    ]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == "whole number, ≥ 1"
    assert cells[2].strip("`").isdigit()  # of the dataclass
    assert cells[-1] == "prompts a trajectory"
    assert "<code>options.<wbr>window.<wbr>kind</code>" in pages["methods"]


def test_a_definition_is_opened_once(pages):
    rows = [
        line for line in pages["run"].splitlines() if line.startswith("| <code>train_reward</code>")
    ]
    assert len(rows) == 1
    assert "keys as in" in rows[0]
    assert "train_reward.<wbr>" not in pages["run"]
