"""The wheel, built from the source distribution and installed in an environment of its own, works without a checkout."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from motionrft.configuration.files import ROOT
from tests.docs import examples

BUILD = """
import os, shutil, sys
from setuptools import build_meta
built = sys.argv[1]
name = build_meta.build_sdist(built)
shutil.unpack_archive(os.path.join(built, name), built)
os.chdir(os.path.join(built, name.removesuffix(".tar.gz")))
build_meta.build_wheel(built)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source = examples.checkout(tmp_path_factory.mktemp("source"))
    built = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-c", BUILD, str(built)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=300)
    [path] = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The bin folder of an environment with the wheel; all it depends on is found in the one that runs the tests."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    [site] = (folder / "lib").glob("python3*/site-packages")
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    command += ["install", "--quiet", "--no-deps", "--disable-pip-version-check", str(wheel)]
    subprocess.run(command, check=True, timeout=300)
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / "bin"


def run(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess:
    hidden = ("PYTHONPATH", "SNAKEMAKE_PROFILE")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    command = [str(installed / "motionrft"), *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=500
    )


def test_it_carries_the_repository_s_own_files(wheel):
    with zipfile.ZipFile(wheel) as archive:
        carried = {
            name.removeprefix("motionrft/checkout/"): archive.read(name)
            for name in archive.namelist()
            if name.startswith("motionrft/checkout/")
        }
        assert "motionrft/__init__.pyi" in archive.namelist()
        assert not [name for name in archive.namelist() if name.startswith(("tests/", "config/"))]
    listed = examples.git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard")
    folders = ("config/", "workflow/", "envs/")
    expected = {name for name in listed.splitlines() if name.startswith(folders)} | {"Snakefile"}
    assert carried.keys() == expected
    for name, content in carried.items():
        assert content == (ROOT / name).read_bytes(), name


def test_the_package_is_the_wheel_s(installed, tmp_path):
    program = "import motionrft, motionrft.configuration as c; print(motionrft.__file__, c.ROOT)"
    command = [installed / "python", "-c", program]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    for path in done.stdout.split():
        assert Path(path).is_relative_to(installed.parent)


def test_it_plans_the_toy_run_in_an_empty_folder(installed, tmp_path):
    done = run(installed, tmp_path, "run", "--dry-run", "--quiet", "rules")
    assert done.returncode == 0, done.stderr
    assert "finetune" in done.stdout + done.stderr
    assert "MissingInputException" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_a_job_runs_and_commands_find_what_is_shipped(installed, tmp_path):
    targets = ["--", "results/ci/corpus/corpus.json"]
    done = run(installed, tmp_path, "run", "ci", "--cores", "1", *targets)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results/ci/corpus/motions.npy").exists()
    command = (tmp_path / "results/ci/config.yaml").read_text(encoding="utf-8")
    assert "command: motionrft run config/ci.yaml\n" in command
    said = run(installed, tmp_path, "config", "--config", "config/kit.yaml")
    assert said.returncode == 0, said.stderr
    assert "easytune" in said.stdout


def test_what_needs_a_checkout_says_so(installed, tmp_path):
    done = run(installed, tmp_path, "run", "toy", "--use-conda", "--cores", "1")
    assert done.returncode == 2
    assert "in a clone of the repository" in done.stderr
    done = run(installed, tmp_path, "run", "toi")
    assert done.returncode == 2
    assert "did you mean toy?" in done.stderr
