"""Every shell command of README, CONTRIBUTING and docs/ is run: workflows as dry runs, make likewise, stages for their help.

Commands are the lines of fenced `sh` blocks and what stands in backticks and begins like a command. They run in a
copy of the checkout that holds the files docs/extend.md shows. What cannot run here has its reason in `NOT_RUN`.
"""

import os
import re
import shlex
import subprocess

import pytest

from motionrft.configuration.files import ROOT
from tests.docs import examples
from tests.planning import plan

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LANGUAGES = {"sh", "python", "yaml", "text"}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
PROGRAMS = (
    *("snakemake", "motionrft", "python", "make", "git", "conda", "pip", "pre-commit", "hf"),
    *("source", "export", "verify", "squeue", "sinfo", "sacct", "scancel", "tmux", ".ci/run"),
    "docker",
)
# what is meant by a word that stands for something of the reader's; … is the rest of a run's options
PLACEHOLDERS = {
    "…": "--configfile config/kit.yaml",
    "backbones=[<name>]": "backbones=[recurrent]",
    "methods=[<name>]": "methods=[late]",
    "/scratch/$USER/motionrft": "elsewhere",
    "~/motionrft": ".",
}
# commands that take in what docs/extend.md has added, and a path of theirs
DROPPED_IN = {
    "backbones/recurrent/": r"backbones=.*(\brecurrent|<name>)",
    "/late/seed0/": r"methods=.*(\blate|<name>)",
}
NOT_RUN = {
    r"git clone .*|cd motionrft": "needs the address of the repository",
    r"conda (env create|activate) .*": "needs conda and its channels; tests/conda has a stand-in",
    r"source \.venv/bin/activate": "the tests have an environment",
    r"\$EDITOR .*": "opens an editor",
    r"hf download .*": "needs the hub",
    r"squeue.*|sinfo.*|tmux": "needs a cluster; tests/cluster starts one",
    r"snakemake --report": "needs a finished run",
    r"pip install '\.\[workflow\]'": "the tests have an environment; tests/packaging installs a wheel in one of its own",
    r"docker (build|run) .*": "needs a daemon; tests/packaging reads the Containerfile",
    r"pre-commit install": "needs lint.lock, which tests do not install; make lint runs the hooks' tools",
    r"python envs/locks\.py": "needs every group installed; tests/packaging compares its locks",
    r"python docs/pictures\.py .*": "needs a finished run and a browser",
}


def commands(text: str) -> list[str]:
    """The commands of a page, in order, without comments and line breaks."""
    lines = []
    for language, block in FENCE.findall(text):
        if language == "sh":
            lines += block.replace("\\\n", " ").splitlines()
    prose = FENCE.sub("", text)
    lines += [span for span in re.findall(r"`([^`]+)`", prose) if span.split()[0] in PROGRAMS]
    parts = [part for line in lines for part in re.sub(r"\s#.*", "", line).split("&&")]
    return [" ".join(part.split()) for part in parts if part.strip()]


FOUND = sorted({(page.name, line) for page in PAGES for line in commands(page.read_text("utf-8"))})
RUN = list(dict.fromkeys(line for _, line in FOUND))


def test_the_parser_sees_blocks_spans_and_continued_lines():
    page = "Say `make it` and `that`.\n\n```sh\none \\\n  --two  # why\nthree && four\n```\n"
    page += "\n```yaml\nfive: 6\n```\n\nand `snakemake\n--cores 1`.\n"
    assert commands(page) == ["one --two", "three", "four", "make it", "snakemake --cores 1"]
    assert len(FOUND) > 25
    # pages to read, with nothing to run
    without = {"api.md", "equations.md", "findings.md", "paper.md", "tour.md"}
    assert {name for name, _ in FOUND} == {page.name for page in PAGES} - without


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_says_its_language(page):
    assert {language for language, _ in FENCE.findall(page.read_text("utf-8"))} <= LANGUAGES


def test_every_reason_is_of_a_command():
    for pattern in NOT_RUN:
        assert any(re.fullmatch(pattern, line) for line in RUN), f"no page says {pattern}"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of what a user clones, with the files of docs/extend.md and the run files of all pages in their places."""
    folder = examples.checkout(tmp_path_factory.mktemp("checkout"))
    examples.add_files(folder)
    for page in PAGES:
        shown = re.findall(r"^(# ([\w-]+\.yaml)\n.*?)^```$", page.read_text("utf-8"), re.M | re.S)
        for text, name in shown:
            (folder / name).write_text(text, encoding="utf-8")
    assert {"my-site.yaml", "mine.yaml"} <= {path.name for path in folder.glob("*.yaml")}
    return folder


def as_run(command: str) -> str:
    """The command as it can be run in a minute on any machine: the same, but nothing is made."""
    for placeholder, meaning in PLACEHOLDERS.items():
        command = command.replace(placeholder, meaning)
    program, _, rest = command.partition(" ")
    if program == "snakemake":
        added = any(re.search(pattern, command) for pattern in DROPPED_IN.values())
        return f"snakemake --dry-run {'' if added else '--quiet rules'} {rest}"
    if program == "make":
        return f"make --dry-run {rest}"
    if command.startswith("motionrft run"):
        rest = command.removeprefix("motionrft run").removesuffix("--dry-run")
        return f"python -m motionrft run {rest} --dry-run --quiet rules"
    if command.startswith("python -m motionrft"):
        return f"{command} --help"
    if program == "verify":
        return "python -m motionrft verify --help"
    if command == ".ci/run":
        return "bash -n .ci/run"
    return f"echo 'say how this is tested, or in NOT_RUN why not: {command}'; false"


@pytest.mark.parametrize("command", RUN)
def test_a_command_of_the_documentation(command, checkout):
    for pattern, reason in NOT_RUN.items():
        if re.fullmatch(pattern, command):
            pytest.skip(reason)
    conda = {"CONDA_STANDIN_ROOT": str(ROOT / "tests" / "conda")}  # answers what a dry run asks
    path = os.pathsep.join((str(ROOT / "tests" / "conda" / "bin"), os.environ["PATH"]))
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PATH": path, **conda}
    line = as_run(command)
    if line.startswith("snakemake "):
        done = plan(shlex.split(line)[1:], checkout, environment, 300)
    else:
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=checkout,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-3000:]
    assert "Nothing to be done" not in output
    for part, pattern in DROPPED_IN.items():
        assert part in output or not re.search(pattern, command)
