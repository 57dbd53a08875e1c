"""What the suite has of each kind, by name: read from its folders, without importing what is listed."""

from __future__ import annotations

import ast
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motionrft import drop_ins
from motionrft.configuration import available, part

# configured by files of config/<kind>
CONFIGURED = ("backbones", "methods")
# drop-ins of a folder
FOLDERS = {
    "corpora": "motionrft.corpus.kinds",
    "terms": "motionrft.reward.terms",
    "stages": "motionrft.reward.stages",
    "evaluators": "motionrft.evaluation.evaluators",
    "analyses": "motionrft.finetune.analysis",
    "tables": "motionrft.reporting.tables",
    "figures": "motionrft.reporting.figures",
}
KINDS = (*CONFIGURED, *FOLDERS)
# what ends in a period without ending a clause
SHORT = "".join(rf"(?<!\b{word})" for word in ("al", "eq", "eqs", "Fig", "sec"))
CLAUSE, SENTENCE = re.compile(rf"{SHORT}\. |[;:] "), re.compile(rf"{SHORT}\. ")


@dataclass(frozen=True)
class Entry:
    """line: the first clause of its source; sizes: those that it is configured at, if it is a backbone."""

    name: str
    line: str
    sizes: tuple[str, ...] = ()


def entries(kind: str) -> list[Entry]:
    """All of a kind of `KINDS`, sorted."""
    if kind in CONFIGURED:
        return [_configured(name, part(kind, name, kind)) for name in available(kind)]
    folder = FOLDERS[kind]
    return [Entry(name, _docstring(f"{folder}.{name}")) for name in drop_ins.names(folder)]


def _configured(name: str, section: dict[str, Any]) -> Entry:
    source = str(section.get("source", section["family"])).strip()
    first = CLAUSE.split(" ".join(source.split()), maxsplit=1)[0].removesuffix(".")
    return Entry(name, first, tuple(section.get("sizes", ())))


def _docstring(module: str) -> str:
    """The first sentence of a module's docstring; the module is not run."""
    spec = importlib.util.find_spec(module)
    origin = spec.origin if spec is not None else None
    if origin is None:
        raise ValueError(f"{module} has no file")
    text = ast.get_docstring(ast.parse(Path(origin).read_text(encoding="utf-8"))) or ""
    first = " ".join(text.split("\n\n")[0].split())
    return SENTENCE.split(first, maxsplit=1)[0].removesuffix(".")
