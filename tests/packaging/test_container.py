"""The Containerfile: what it copies is there, and its layer of packages needs no other file than it copies before."""

import re
import shutil
import subprocess

from motionrft.configuration import ROOT

TEXT = (ROOT / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
STEPS = [line.split(None, 1) for line in TEXT.splitlines() if line and not line.startswith("#")]


def copied() -> list[str]:
    """Sources of the COPY lines before `make env`."""
    found = []
    for instruction, rest in STEPS:
        if instruction == "RUN" and "make env" in rest:
            return found
        if instruction == "COPY":
            words = [word for word in rest.split() if not word.startswith("--")]
            found += words[:-1]
    raise AssertionError("no layer makes the environment")


def test_it_runs_the_demo_as_a_user():
    instructions = [instruction for instruction, _ in STEPS]
    assert STEPS[0] == ["FROM", "python:3.11-slim"]
    assert STEPS[-1] == ["CMD", '["make", "demo"]']
    assert instructions.index("USER") < instructions.index("COPY")
    assert dict(STEPS)["USER"] != "root"


def test_the_environment_s_layer_has_the_files_it_needs(tmp_path):
    """Those that make names as prerequisites, and those that its recipe reads."""
    for name in copied():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    (tmp_path / "README.md").touch()
    done = subprocess.run(
        ["make", "--dry-run", "env"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for name in re.findall(r"-r (\S+)", done.stdout):
        assert (tmp_path / name).is_file()
    assert (tmp_path / "envs" / "venv.sh").is_file()


def test_what_is_left_out_of_the_image_is_not_needed():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".git", ".venv", "results"} <= set(ignored)
    assert not {"motionrft", "config", "workflow", "requirements", "envs"} & set(ignored)
