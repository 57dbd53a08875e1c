"""The walls that docs/architecture.md draws: who knows whom, what drop-in folders hold, and how large things are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
LINES, ARGUMENTS = 400, 8


@dataclass(frozen=True)
class Module:
    """A module of the project: its dotted name, and the modules of the project that it imports anywhere."""

    name: str
    path: Path
    tree: ast.Module
    imports: frozenset[str]

    @property
    def room(self) -> str:
        """`motionrft.corpus.samples` -> `corpus.samples`"""
        return self.name.removeprefix("motionrft.")


@cache
def modules() -> dict[str, Module]:
    paths: dict[str, Path] = {}
    for top in ("motionrft", "reference"):
        for path in sorted((ROOT / top).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            paths[name.removesuffix(".__init__")] = path
    trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in paths.items()}
    return {
        name: Module(name, path, trees[name], frozenset(imported(trees[name], set(paths)) - {name}))
        for name, path in paths.items()
    }


def imported(tree: ast.Module, known: set[str]) -> set[str]:
    """The known modules that any import of a module names, at its top or inside a function."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in known else str(node.module) for name in full}
    return names & known


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading of the page."""
    section = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@dataclass(frozen=True)
class Room:
    floor: int
    knows: frozenset[str]


@cache
def rooms() -> dict[str, Room]:
    table = {name.strip("`"): (int(floor), knows) for name, floor, _, knows in rows("Rooms")}
    below = {
        name: frozenset(other for other, (level, _) in table.items() if level < floor)
        for name, (floor, _) in table.items()
    }
    return {
        name: Room(
            floor,
            below[name]
            if knows == "everything below"
            else frozenset(re.findall(r"`([^`]+)`", knows)),
        )
        for name, (floor, knows) in table.items()
    }


def within(module: str, names: frozenset[str] | set[str]) -> str | None:
    """The longest of `names` that is `module` or a package around it."""
    fitting = [name for name in names if module == name or module.startswith(f"{name}.")]
    return max(fitting, key=len, default=None)


def test_every_module_stands_in_a_room():
    strangers = [m.name for m in modules().values() if not within(m.room, set(rooms()))]
    assert strangers == ["motionrft"]


def test_rooms_know_only_what_stands_below():
    for name, room in rooms().items():
        for other in room.knows:
            home = within(other, set(rooms()))
            assert home, f"{name} knows {other}, which is no room"
            assert rooms()[home].floor < room.floor, f"{name} knows {other}, which is not below it"


def crossings() -> Iterator[tuple[str, str, str]]:
    """(room, module, imported module) for every import from one room into another."""
    for module in modules().values():
        room = within(module.room, set(rooms()))
        for target in module.imports - {"motionrft"}:
            other = within(target.removeprefix("motionrft."), set(rooms()))
            if room is not None and other != room:
                yield room, module.name, target


def test_imports_go_through_the_walls_nowhere():
    through = [
        f"{module} imports {target}"
        for room, module, target in crossings()
        if not within(target.removeprefix("motionrft."), rooms()[room].knows)
    ]
    assert through == []


def test_the_page_allows_nothing_that_nobody_needs():
    """A wall that is lower than it must be is lowered without notice."""
    used = {
        (room, within(target.removeprefix("motionrft."), rooms()[room].knows))
        for room, _, target in crossings()
    }
    listed = {name.strip("`") for name, _, _, knows in rows("Rooms") if "everything" not in knows}
    idle = [
        f"{name}: {other}"
        for name in listed
        for other in rooms()[name].knows
        if (name, other) not in used
    ]
    assert idle == []


def test_no_circle_of_imports():
    """What imports nothing that is left, or is imported by nothing that is left, is in no circle."""
    left = {name: set(module.imports) for name, module in modules().items()}
    while True:
        wanted = set().union(*left.values())
        free = [name for name, names in left.items() if not names & set(left) or name not in wanted]
        if not free:
            break
        for name in free:
            del left[name]
    assert {name: sorted(names & set(left)) for name, names in left.items()} == {}


@pytest.mark.parametrize("row", rows("Folders of drop-ins"), ids=lambda row: row[0])
def test_a_drop_in_folder_holds_drop_ins_only(row):
    folder, kind, marks = row
    marks = set(re.findall(r"`([^`]+)`", marks))
    room = ROOT / folder.strip("`")
    modules_inside = [path for path in sorted(room.glob("*.py")) if path.name != "__init__.py"]
    packages = [path / "__init__.py" for path in sorted(room.iterdir()) if path.is_dir()]
    packages = [path for path in packages if path.exists()]
    drop_ins = packages if "modules beside them" in kind else modules_inside + packages
    assert drop_ins
    for path in drop_ins:
        names = defined(ast.parse(path.read_text(encoding="utf-8")))
        assert marks <= names, f"{path.relative_to(ROOT)} does not define {sorted(marks)}"


def defined(tree: ast.Module) -> set[str]:
    """Names bound at a module's top level."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def python_files() -> list[Path]:
    tops = ("motionrft", "reference", "benchmarks", "tests", "docs", "website")
    return sorted(path for top in tops for path in (ROOT / top).rglob("*.py"))


def test_no_file_is_too_long():
    long = {
        str(path.relative_to(ROOT)): count
        for path in python_files()
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > LINES
    }
    assert long == {}


def test_no_function_has_too_many_arguments():
    many = [
        f"{module.name}.{node.name}"
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef) and arguments(node) > ARGUMENTS
    ]
    assert many == []


def arguments(node: ast.FunctionDef) -> int:
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return len([entry for entry in every if entry.arg not in ("self", "cls")])


def test_every_module_says_what_it_is():
    silent = [module.name for module in modules().values() if not ast.get_docstring(module.tree)]
    assert silent == []
