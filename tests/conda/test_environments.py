"""Environment files: pinned as tested, solvable, and used by `--use-conda` (with a stand-in for conda)."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from motionrft.configuration import ROOT
from tests.conda.make_channel import NAMES, make_channel

FILES = [ROOT / "environment.yml", *sorted((ROOT / "envs").glob("*.yaml"))]
STANDIN = Path(__file__).parent / "bin"


def lock() -> dict[str, str]:
    files = sorted((ROOT / "requirements").glob("*.lock"))
    lines = [line for path in files for line in path.read_text().splitlines()]
    pins = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {
        NAMES.get(name.lower().replace("_", "-"), name.lower().replace("_", "-")): version
        for name, version in pins.items()
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_pins_agree_with_the_lock(path):
    content = yaml.safe_load(path.read_text())
    assert content["channels"][-1] == "nodefaults"
    for spec in content["dependencies"]:
        assert isinstance(spec, str), f"{path.name}: a pip: section hides its packages from conda"
        name, pin = re.fullmatch(r"([a-z0-9-]+) =([0-9.]+)", spec).groups()
        if name != "python":
            assert (lock()[name] + ".").startswith(pin + "."), f"{path.name}: {spec}"


@pytest.fixture
def standin(tmp_path):
    """The environment variables that put the stand-in in conda's place."""
    root = tmp_path / "conda"
    (root / "bin").mkdir(parents=True)
    for name in ("conda", "activate"):
        shutil.copy(STANDIN / name, root / "bin" / name)
    for channel in ("conda-forge", "bioconda"):
        make_channel(tmp_path / "channels" / channel)
    return {
        **os.environ,
        "PATH": os.pathsep.join(
            [str(root / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        ),
        "CONDA_STANDIN_ROOT": str(root),
        "CONDA_CHANNEL_ALIAS": (tmp_path / "channels").as_uri(),
    }


def test_snakemake_makes_and_uses_the_environments(standin, tmp_path):
    work = tmp_path / "work"
    command = [
        *(
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            ROOT / "Snakefile",
            "--directory",
            work,
        ),
        *("--configfile", ROOT / "config" / "ci.yaml", "--cores", "1", "--use-conda"),
        *("--", "results/ci/corpus/corpus.json"),
    ]
    done = subprocess.run(command, env=standin, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "Activating conda environment" in done.stderr
    [environment] = (work / ".snakemake" / "conda").glob("*/conda-meta")
    assert list(environment.glob("pytorch-2.*.json"))
    assert (work / "results/ci/corpus/motions.npy").exists()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_environment_file_is_solved_and_linked(path, standin, tmp_path):
    prefix = tmp_path / "environment"
    command = ["conda", "env", "create", "--file", path, "--prefix", prefix]
    subprocess.run(command, env=standin, check=True, timeout=120)
    version = subprocess.run(
        [prefix / "bin" / "python", "--version"], capture_output=True, text=True, check=True
    ).stdout
    assert version.split()[1].startswith("3.")


def test_a_pin_that_was_not_tested_fails(standin, tmp_path):
    content = yaml.safe_load((ROOT / "envs" / "report.yaml").read_text())
    content["dependencies"].append("pandas =2.0")
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(content))
    command = ["conda", "env", "create", "--file", path, "--prefix", tmp_path / "environment"]
    done = subprocess.run(command, env=standin, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert "pandas" in done.stderr
