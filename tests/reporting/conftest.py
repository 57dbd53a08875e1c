"""A finished run whose records every test of the room may read."""

import pytest

from motionrft.reporting import figures
from motionrft.reporting.records import Records
from tests.reporting.made_run import make_run


@pytest.fixture(scope="session")
def records(tmp_path_factory):
    """Not to be changed: all tests share it."""
    return Records(make_run(tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="session")
def drawn(records):
    """The folder with all figures of the run."""
    folder = records.folder / "figures"
    folder.mkdir()
    for name in figures.names():
        figures.write(name, records, folder)
    return folder
