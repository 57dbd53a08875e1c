"""The configuration reference: a page a group of schemas, a row a key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from importlib import import_module
from typing import Any

import yaml

from motionrft.configuration import available, part
from motionrft.configuration.schema import SCHEMAS
from motionrft.finetune.methods import method_family

# page -> (title, what is on it, names of the schemas in its order; * stands for those not named)
PAGES = {
    "run": (
        "Configuration of a run",
        "The sections of a run file, `config/<run>.yaml`.",
        ("run", "text", "evaluator", "finetune", "evaluate", "compare", "resources", "train"),
    ),
    "corpora": ("Configuration of corpora", "The section `corpus`, by its `kind`.", ("corpus-*",)),
    "backbones": (
        "Configuration of backbones",
        "The files `config/backbones/<name>.yaml`.",
        ("backbone", "backbone-*"),
    ),
    "methods": (
        "Configuration of methods",
        "The files `config/methods/<name>.yaml`.",
        ("method", "method-*"),
    ),
    "reward": ("Configuration of the reward", "The section `reward`.", ("reward", "reward-*")),
}
# where the defaults are that a schema does not fill in: (schema, key around them) -> dataclass
DEFAULTS = {
    ("finetune", ""): "motionrft.finetune.settings:Settings",
    ("train", ""): "motionrft.training.loop:TrainSettings",
    ("reward", "network"): "motionrft.reward.network:NetworkSettings",
    ("backbone-acmdm", "network"): "motionrft.backbones.acmdm.options:ACMDMOptions",
    ("backbone-hymotion", "network"): "motionrft.backbones.hymotion.options:HYMotionOptions",
    ("backbone-mdm", "network"): "motionrft.backbones.mdm.options:MDMOptions",
    ("backbone-mld", "network"): "motionrft.backbones.mld.options:LatentOptions",
    (
        "backbone-motiondiffuse",
        "network",
    ): "motionrft.backbones.motiondiffuse.options:MotionDiffuseOptions",
    ("backbone-motionlcm", "network"): "motionrft.backbones.motionlcm.options:MotionLCMOptions",
}


@dataclass(frozen=True)
class Key:
    """One key: its dotted place in the section, what the schema says of it, and, where its own keys are listed
    elsewhere on the page, the schema and the place of that."""

    place: str
    rule: dict[str, Any]
    same: tuple[str, str] | None = None


def schema(name: str) -> dict[str, Any]:
    """A schema file as written: what another one `extends` is not taken in."""
    found: dict[str, Any] = yaml.safe_load((SCHEMAS / f"{name}.schema.yaml").read_text("utf-8"))
    return found


def names(page: str) -> list[str]:
    """The schemas of a page, in order."""
    found: list[str] = []
    for pattern in PAGES[page][2]:
        paths = SCHEMAS.glob(f"{pattern}.schema.yaml")
        found += sorted(path.name.removesuffix(".schema.yaml") for path in paths)
    return found


@dataclass
class Reader:
    """Reads the keys of the schemas of a page. shown: the first place of each definition, by where it stands."""

    shown: dict[str, tuple[str, str]] = field(default_factory=dict)

    def keys(self, name: str) -> list[Key]:
        """Every key of a schema, outer before inner; a definition used in several places is opened at the first."""
        return list(self._inside(schema(name), name, name, ""))

    def _inside(self, rule: dict[str, Any], file: str, owner: str, around: str) -> Iterator[Key]:
        inner = dict(rule.get("properties", {}))
        if isinstance(rule.get("additionalProperties"), dict):
            inner["<name>"] = rule["additionalProperties"]
        for key, below in inner.items():
            place = f"{around}.{key}".lstrip(".")
            found, source, definition = resolved(below, file)
            first = self.shown.setdefault(definition, (owner, place)) if definition else None
            again = first is not None and first != (owner, place)
            yield Key(place, found, first if again else None)
            if not again:
                yield from self._inside(found, source, owner, place)
        for choice in rule.get("anyOf", ()):
            found, source, _ = resolved(choice, file)
            yield from self._inside(found, source, owner, around)
        if isinstance(rule.get("items"), dict):
            found, source, _ = resolved(rule["items"], file)
            yield from self._inside(found, source, owner, f"{around}[]")


def resolved(rule: dict[str, Any], file: str) -> tuple[dict[str, Any], str, str]:
    """The rule with the definition that it refers to under it, the schema that this is from, and where it stands there.
    A reference to a whole schema stays: that has a part of its own."""
    reference, _, path = str(rule.get("$ref", "")).partition("#")
    if not path:
        return rule, file, ""
    source = reference.removesuffix(".schema.yaml") or file
    target: Any = schema(source)
    for step in path.strip("/").split("/"):
        target = target[step]
    own = {key: value for key, value in rule.items() if key != "$ref"}
    below, source_below, _ = resolved(target, source)
    return {**below, **own}, source_below, f"{source}#{path}"


def kind(rule: dict[str, Any]) -> str:
    """What a value may be, in words."""
    if "const" in rule:
        return f"`{written(rule['const'])}`"
    if "enum" in rule:
        return ", ".join(f"`{written(value)}`" for value in rule["enum"])
    if "anyOf" in rule:
        return " or ".join(dict.fromkeys(kind(choice) for choice in rule["anyOf"]))
    file = str(rule.get("$ref", "")).partition("#")[0]
    if file:
        return f"as {linked(f'workflow/schemas/{file}')}"
    types = rule.get("type", "object" if "properties" in rule else [])
    types = types if isinstance(types, list) else [types]
    said = " or ".join(TYPES.get(entry, entry) for entry in types)
    if "items" in rule:
        said = f"list of {kind(rule['items'])}"
    bounds = [f"{sign} {rule[bound]}" for bound, sign in BOUNDS.items() if bound in rule]
    return f"{said}, {', '.join(bounds)}" if bounds else said


TYPES = {
    "object": "section",
    "array": "list",
    "string": "text",
    "integer": "whole number",
    "boolean": "true or false",
    "null": "null",
}
BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def written(value: Any) -> str:
    """A value as a configuration has it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=list)


def defaults(name: str) -> dict[str, Any]:
    """By place, the defaults of the dataclasses that read a section."""
    found: dict[str, Any] = {}
    for (owner, around), where in DEFAULTS.items():
        if owner == name:
            module, _, kind_name = where.partition(":")
            found |= _of_dataclass(getattr(import_module(module), kind_name), around)
    family = name.removeprefix("method-")
    if name != family:
        found |= _of_dataclass(method_family(family), "options")
    return found


def _of_dataclass(owner: Any, around: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in fields(owner):
        place = f"{around}.{entry.name}" if around else entry.name
        value = entry.default
        if entry.default_factory is not MISSING:
            value = entry.default_factory()
        if is_dataclass(value) and not isinstance(value, type):
            found |= {f"{place}.{e.name}": getattr(value, e.name) for e in fields(value)}
        elif value is not MISSING:
            found[place] = value
    return found


def looked_up(section: Any, place: str) -> Any:
    """The value at a dotted place, or MISSING."""
    for step in place.split("."):
        if not isinstance(section, dict) or step not in section:
            return MISSING
        section = section[step]
    return section


def cell(value: Any) -> str:
    return "" if value is MISSING or isinstance(value, dict) else f"`{written(value)}`"


def linked(text: str) -> str:
    """Names of schema files as links to their part of the reference."""

    def link(found: re.Match[str]) -> str:
        name = found[1]
        for page in PAGES:
            if name in names(page):
                return f"[{schema(name)['title']}]({page}.md#{anchor(name)})"
        return found[0]

    return re.sub(r"workflow/schemas/([a-z0-9_-]+)\.schema\.yaml", link, text)


def anchor(name: str) -> str:
    return f"schema-{name}"


def sentence(text: str) -> str:
    """A description as a cell of a table: `<name>` is text there, `|` no border."""
    return linked(" ".join(text.split()).replace("<", "&lt;").replace("|", "&#124;"))


def table(name: str, keys: list[Key]) -> str:
    """The keys of a schema as a table, with the values of both sizes where config/<name>/ has them."""
    own, sizes = defaults(name), sorted(available(name), reverse=True)
    head = ["key", "value", "default", *(f"`size: {size}`" for size in sizes), "what it is"]
    rows = []
    for key in keys:
        default = key.rule.get("default", own.get(key.place, MISSING))
        values = [cell(looked_up(part(name, size, "docs"), key.place)) for size in sizes]
        place = key.place.replace(".", ".<wbr>")
        said = sentence(str(key.rule.get("description", "")))
        if key.same:
            said = "; ".join(filter(None, (said, elsewhere(*key.same, name))))
        rows.append(
            [f"<code>{_quoted(place)}</code>", kind(key.rule), cell(default), *values, said]
        )
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def elsewhere(owner: str, place: str, here: str) -> str:
    """Where the keys of a definition are listed."""
    of = "" if owner == here else f" of {linked(f'workflow/schemas/{owner}.schema.yaml')}"
    return f"keys as in `{place}`{of}"


def _quoted(place: str) -> str:
    return place.replace("<name>", "&lt;name&gt;")


def page(name: str) -> str:
    """The Markdown of one page."""
    title, about, _ = PAGES[name]
    parts, reader = [f"# {title}", f"{about} {LEGEND}"], Reader()
    for entry in names(name):
        rule = schema(entry)
        parts += [
            f"## {rule['title']} {{ #{anchor(entry)} }}",
            sentence(str(rule.get("description", ""))),
        ]
        if "extends" in rule:
            other = linked(f"workflow/schemas/{rule['extends']}.schema.yaml")
            parts.append(f"Also every key of {other}.")
        if keys := reader.keys(entry):
            parts.append(table(entry, keys))
    return "\n\n".join(parts) + "\n"


LEGEND = (
    "A key that is not listed is refused when a run is planned. A dot means a key inside a section. "
    "An empty default means that nothing is set, or that the code decides (the description says which)."
)
