"""What README.md says of dependencies and of the selection of weights is so."""

import ast
import re
import tomllib

import pytest

from motionrft.configuration import ROOT, available, part

README = (ROOT / "README.md").read_text(encoding="utf-8")
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
    table = README[README.index("| package | for |") :].split("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    explained = {name.strip() for cell in cells for name in re.sub(r"\(.*?\)", "", cell).split(",")}
    optional = set().union(*map(names, PROJECT["optional-dependencies"].values()))
    assert wanted <= explained <= wanted | optional


@pytest.mark.parametrize("size", available("finetune"))
def test_what_selects_the_weights(size):
    select = part("finetune", size, "test").get("select", "last")
    said = {"best": "selects", "last": "keeps its last weights"}[select]
    assert f"{said} at `size: {size}`" in " ".join(README.split())
    evaluator, reward = (part(name, size, "test") for name in ("evaluator", "reward"))
    assert evaluator["train"]["validate_every"] > 0
    assert all(stage["train"]["validate_every"] > 0 for stage in reward["stages"].values())
    for name in available("backbones"):
        for stage in (
            part("backbones", name, "test")["sizes"].get(size, {}).get("pretrain", {}).values()
        ):
            assert not stage.get("validate_every", 0), name
