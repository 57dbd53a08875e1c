"""A finished run whose records every test of the room may read."""

import pytest

from motionrft.reporting import figures
from motionrft.reporting.records import Records
from tests.made_once import made_once
from tests.reporting.made_run import make_run


@pytest.fixture(scope="session")
def records(tmp_path_factory):
    """Not to be changed: all tests share it."""
    return Records(made_once(tmp_path_factory, "reported", make_run) / "results" / "made")


@pytest.fixture(scope="session")
def drawn(records, tmp_path_factory):
    """The folder with all figures of the run."""

    def draw(folder):
        for name in figures.names():
            figures.write(name, records, folder)

    return made_once(tmp_path_factory, "reported/results/made/figures", draw)
