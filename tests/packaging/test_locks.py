"""The locks of requirements/: each pins its group of pyproject.toml, all that it asks for, and nothing else."""

import re
import subprocess
import sys
import tomllib
from importlib import util
from importlib.metadata import PackageNotFoundError, metadata

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from motionrft.configuration import ROOT

spec = util.spec_from_file_location("locks", ROOT / "envs" / "locks.py")
locks = util.module_from_spec(spec)
spec.loader.exec_module(locks)
# asked for without a bound: the tests run an imitation of it, so that no version is claimed
UNPINNED = ("wandb",)
FILES = sorted((ROOT / "requirements").glob("*.lock"))


def pins(group: str) -> dict[str, str]:
    lines = (ROOT / "requirements" / f"{group}.lock").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def installed(group: str) -> list[str]:
    """What the lock of a group is to hold; `make test` alone installs neither linters nor the site's tools."""
    try:
        return locks.lock(group)
    except PackageNotFoundError as missing:
        if group in ("lint", "docs"):
            pytest.skip(f"make {group} installs it: {missing}")
        raise


@pytest.mark.parametrize("group", [*locks.BESIDE])
def test_a_lock_is_what_its_group_asks_for(group):
    own = installed(group)
    assert own == (ROOT / "requirements" / f"{group}.lock").read_text("utf-8").splitlines()[1:]


def test_a_run_installs_no_linters_and_no_tests():
    run = pins("run") | pins("workflow")
    for name in (
        "mypy",
        "ruff",
        "black",
        "snakefmt",
        "pre-commit",
        "pytest",
        "selenium",
        "ipykernel",
        "mkdocs",
    ):
        assert name not in run
        assert name in pins("test") | pins("lint") | pins("docs")


def test_no_two_locks_pin_different_versions_and_none_a_build():
    versions = {}
    for path in FILES:
        for name, version in pins(path.stem).items():
            assert re.fullmatch(r"[0-9][0-9a-z.]*", version), f"{path.name}: {name}"
            assert versions.setdefault(name, version) == version, f"{path.name}: {name}"


def test_every_lower_bound_is_the_version_that_is_tested():
    """Of every group: what is older is claimed by nobody."""
    pinned = {name: version for path in FILES for name, version in pins(path.stem).items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [line for lines in locks.asked().values() for line in lines]
    asked += project["build-system"]["requires"]
    assert len(asked) > 30
    for requirement in map(Requirement, asked):
        name = canonicalize_name(requirement.name)
        if name in UNPINNED:
            assert not requirement.specifier, f"{requirement}: no test holds its bound"
            continue
        [bound] = requirement.specifier
        assert bound.operator == ">="
        tested = f"{requirement}, tested with {pinned[name]}"
        assert Version(bound.version) == Version(pinned[name]), tested
    [snakemake] = re.findall(r'^min_version\("(.*)"\)', (ROOT / "Snakefile").read_text(), re.M)
    assert Version(snakemake) == Version(pinned["snakemake"])


@pytest.mark.parametrize("group", [*locks.BESIDE])
def test_what_is_pinned_installs_on_the_oldest_python(group):
    """The first release of it: some packages ask for a later one than the locks were written with."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest = f"{project['requires-python'].removeprefix('>=')}.0"
    installed(group)
    for name in pins(group):
        asked = metadata(name)["Requires-Python"]
        assert asked is None or SpecifierSet(asked).contains(oldest), f"{name}: Python {asked}"


@pytest.mark.parametrize(
    ("target", "groups"),
    [
        ("demo", {"run", "workflow"}),
        ("env", {"run", "workflow"}),
        ("test", {"run", "workflow", "test"}),
        ("numeric", {"run", "workflow", "test"}),
        ("docs", {"run", "workflow", "docs"}),
        ("lint", {"run", "workflow", "lint", "docs"}),
    ],
)
def test_what_make_installs(target, groups, tmp_path):
    """From nothing: `VENV` leads to a folder that is not there."""
    command = ["make", "--dry-run", target, f"VENV={tmp_path / 'venv'}"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"-r requirements/(\w+)\.lock", said)) == groups


def test_the_locks_are_written_by_the_program_that_checks_them(tmp_path):
    for group in locks.BESIDE:
        installed(group)
    program = (ROOT / "envs" / "locks.py").read_text(encoding="utf-8")
    (tmp_path / "envs").mkdir()
    (tmp_path / "requirements").mkdir()
    (tmp_path / "envs" / "locks.py").write_text(program, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    subprocess.run([sys.executable, tmp_path / "envs" / "locks.py"], check=True, timeout=120)
    for path in FILES:
        if path.stem in locks.BESIDE:
            assert (tmp_path / "requirements" / path.name).read_text() == path.read_text()
