from __future__ import annotations

import pytest
import torch

from tests.browser import browser as browser

# a file of these takes up to minutes: begun last, one would keep a single worker busy at the end
LONG = ("cluster", "docs", "workflow", "benchmarks", "rehearsal")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long files first, in the order of LONG; workers take whole files in the order of the items."""
    tests = config.rootpath / "tests"
    folders = {item.path: item.path.relative_to(tests).parts[0] for item in items}
    rank = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(folders[item.path], len(LONG)))


@pytest.fixture
def float64():
    """Networks and random inputs that the test makes are float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
