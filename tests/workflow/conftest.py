"""A run up to what training reads, made once."""

import subprocess

import pytest

from tests.made_once import made_once
from tests.workflow.snakemake_run import CI, FEATURES, TEXT, snakemake


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A run up to what pre-training reads."""

    def make(folder):
        done = snakemake(folder, CI, "--cores", "2", "--", FEATURES, TEXT)
        assert done.returncode == 0, done.stderr

    return made_once(tmp_path_factory, "prepared", make)


@pytest.fixture
def run(prepared, tmp_path):
    """A copy of it that a test may break."""
    subprocess.run(["cp", "-a", f"{prepared}/.", tmp_path], check=True)
    return tmp_path
