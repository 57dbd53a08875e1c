"""What README.md and docs say of dependencies, of the selection of weights and of the paper's run is so."""

import ast
import re
import shlex
import tomllib

import pytest

from motionrft.cli import main
from motionrft.configuration import ROOT, available, part
from tests.docs import examples

README = (ROOT / "README.md").read_text(encoding="utf-8")
DEPENDENCIES = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
EXPERIMENTS = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MODULES = {"PyYAML": "yaml", "pillow": "PIL"}
# imported by transformers, for the vocabulary of T5
BY_OTHERS = {"sentencepiece"}


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[><=]", requirement)[0] for requirement in requirements}


def imported() -> set[str]:
    """Top-level modules that the package's code imports, anywhere in a file."""
    found = set()
    for path in (ROOT / "motionrft").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return found


def test_every_dependency_is_imported_and_explained():
    wanted = names(PROJECT["dependencies"])
    assert {MODULES.get(name, name) for name in wanted - BY_OTHERS} <= imported()
    table = DEPENDENCIES[DEPENDENCIES.index("| package | for |") :].split("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    explained = {name.strip() for cell in cells for name in re.sub(r"\(.*?\)", "", cell).split(",")}
    optional = set().union(*map(names, PROJECT["optional-dependencies"].values()))
    assert wanted <= explained <= wanted | optional


@pytest.mark.parametrize("size", available("finetune"))
def test_what_selects_the_weights(size):
    select = part("finetune", size, "test").get("select", "last")
    said = {"best": "selects", "last": "keeps its last weights"}[select]
    assert f"{said} at `size: {size}`" in " ".join(EXPERIMENTS.split())
    evaluator, reward = (part(name, size, "test") for name in ("evaluator", "reward"))
    assert evaluator["train"]["validate_every"] > 0
    assert all(stage["train"]["validate_every"] > 0 for stage in reward["stages"].values())
    for name in available("backbones"):
        for stage in (
            part("backbones", name, "test")["sizes"].get(size, {}).get("pretrain", {}).values()
        ):
            assert not stage.get("validate_every", 0), name


def test_the_method_shown_is_the_one_that_is_run():
    """tests/docs/test_examples.py runs the files of docs/extend.md."""
    assert f"```python\n{examples.FILES['motionrft/finetune/methods/late.py']}```" in README


def test_what_the_papers_run_takes(monkeypatch, capsys):
    """The hours, jobs and disk that README quotes of `plan`."""
    monkeypatch.chdir(ROOT)
    [command] = re.findall(r"^python -m motionrft (plan .*)$", README, re.M)
    assert main(shlex.split(command)) == 0
    printed = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in printed.splitlines()[1:] if line.strip()}
    column = len(["stage", "jobs", "done", "took", "left", "peak"])  # of the GPU hours
    stages = ("pretrain", "train_reward", "finetune", "evaluate")
    hours = {stage: float(rows[stage][column]) for stage in stages}
    said = re.search(
        r"some (\d+) GPU hours .* in (\d+) jobs.* pre-training (\d+), fine-tuning (\d+), evaluation (\d+)\.",
        " ".join(README.split()),
    ).groups()
    assert f" {said[1]} jobs" in printed
    assert [float(said[i]) for i in (0, 2, 3, 4)] == pytest.approx(
        [sum(hours.values()), hours["pretrain"], hours["finetune"], hours["evaluate"]], rel=0.05
    )
    [disk] = re.findall(r"^disk: ([\d.]+ GB) of models", printed, re.M)
    assert f"The models take {disk} of disk" in README


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(name):
    links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", (ROOT / name).read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
