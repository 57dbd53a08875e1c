"""The YAML files of `config/`, by folder and name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import yaml

from motionrft.errors import InputError, unknown_name

CHECKOUT = Path(__file__).resolve().parents[2]
# what a wheel carries of the checkout it was built from (setup.py)
SHIPPED = Path(__file__).resolve().parents[1] / "checkout"
# where config/, workflow/ and the Snakefile lie
ROOT = CHECKOUT if (CHECKOUT / "Snakefile").is_file() else SHIPPED


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML in which 2024_05, 010, 1:30 and 2024-05-01 are texts, 1e-4 is a number, and a key stands once."""

    yaml_implicit_resolvers: ClassVar[dict[Any, Any]] = {
        first: [entry for entry in entries if entry[0].rsplit(":", 1)[-1] not in ("int", "float", "timestamp")]
        for first, entries in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }  # fmt: skip

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As YAML's own, refusing a key that stands twice: the first would be lost without a word."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands twice", key.start_mark
                    )
                seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789")
)
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"([-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)
EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


def read_yaml(path: str | Path) -> dict[str, Any]:
    path = Path(path)
    try:
        value = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=Loader)
    except FileNotFoundError:
        raise InputError(
            f"no such file ({path.absolute()})",
            where=path,
            fix="check the name; configurations are in config/",
        ) from None
    except OSError as error:
        raise InputError(
            f"not readable ({error.strerror})", where=path, fix="name a file"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"not UTF-8 (byte {error.start})", where=path, fix="save the file as UTF-8"
        ) from None
    except yaml.YAMLError as error:
        raise InputError(
            f"not valid YAML ({' '.join(str(error).split())})", where=path, fix="correct that line"
        ) from None
    if not isinstance(value, dict):
        raise InputError(
            "expected a mapping of keys to values", where=path, fix="see config/toy.yaml"
        )
    return value


def run_file(name: str | Path) -> Path:
    """The run file of that path from here; else that of the shipped ones, by path (config/toy.yaml) or name (toy)."""
    path = Path(name)
    for candidate in (path, ROOT / path, ROOT / "config" / f"{name}.yaml"):
        if candidate.is_file():
            return candidate
    if path.suffix in (".yaml", ".yml"):
        return path  # reading it says what is wrong
    raise unknown_name("run", str(name), available("."), where="run", add=f"{name}.yaml")


def numbers(value: Any) -> Any:
    """`value` with texts like "5e-4" read as numbers: YAML 1.1 takes them for texts."""
    if isinstance(value, dict):
        return {key: numbers(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [numbers(entry) for entry in value]
    return float(value) if isinstance(value, str) and EXPONENT.fullmatch(value) else value


def available(folder: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / "config" / folder).glob("*.yaml"))


def part(folder: str, name: str, where: str | Path) -> dict[str, Any]:
    """`config/<folder>/<name>.yaml`, or an error that lists what exists."""
    if name not in available(folder):
        what, file = folder.removesuffix("s"), f"config/{folder}/{name}.yaml"
        raise unknown_name(what, name, available(folder), where=where, field=folder, add=file)
    entry: dict[str, Any] = numbers(read_yaml(ROOT / "config" / folder / f"{name}.yaml"))
    return entry


def has_size(backbone: str, size: str) -> bool:
    return size in read_yaml(ROOT / "config" / "backbones" / f"{backbone}.yaml").get("sizes", {})


def by_name(method: str) -> bool:
    """Whether a method takes part only in runs that name it."""
    return bool(read_yaml(ROOT / "config" / "methods" / f"{method}.yaml").get("by_name", False))
