"""Validation against `workflow/schemas/*.schema.yaml`: defaults filled in, one clear line for a mistake."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from motionrft.configuration.files import ROOT
from motionrft.errors import InputError, unknown_name

SCHEMAS = ROOT / "workflow" / "schemas"


@cache
def read_schema(name: str) -> dict[str, Any]:
    """The schema `name`; one that `extends` another has that one's properties besides its own."""
    schema: dict[str, Any] = yaml.safe_load(
        (SCHEMAS / f"{name}.schema.yaml").read_text(encoding="utf-8")
    )
    if "extends" in schema:
        others = read_schema(schema["extends"])
        schema["properties"] = {**others["properties"], **schema["properties"]}
        schema["$defs"] = {**others.get("$defs", {}), **schema.get("$defs", {})}
    return schema


def _sums_to(
    validator: Any, total: float, instance: Any, schema: dict[str, Any]
) -> Iterator[ValidationError]:
    """`sums_to: 1`, of a mapping of numbers."""
    del validator, schema
    numbers = list(instance.values()) if isinstance(instance, dict) else []
    known = all(isinstance(number, int | float) for number in numbers)
    if known and abs(sum(numbers) - total) > 1e-6:
        parts = ", ".join(f"{name} {number:g}" for name, number in instance.items())
        yield ValidationError(f"{parts} sum to {sum(numbers):g}, not to {total:g}")


Validator = extend(Draft202012Validator, {"sums_to": _sums_to})


def _retrieve(uri: str) -> Resource[Any]:
    """Another schema file that a `$ref` names."""
    return DRAFT202012.create_resource(read_schema(uri.removesuffix(".schema.yaml")))


def has_schema(name: str) -> bool:
    return (SCHEMAS / f"{name}.schema.yaml").is_file()


def steps_counted(name: str, section: dict[str, Any]) -> dict[str, int]:
    """Those values of `section` (its `options`) that the schema marks as counts of denoising steps."""
    rule = read_schema(name)["properties"]["options"]
    return dict(_counted(rule, section.get("options", {})))


def _counted(rule: dict[str, Any], section: dict[str, Any]) -> Iterator[tuple[str, int]]:
    for key, inner in rule.get("properties", {}).items():
        if key in section and inner.get("counts_steps"):
            yield key, section[key]
        elif isinstance(section.get(key), dict):
            yield from ((f"{key}.{name}", count) for name, count in _counted(inner, section[key]))


def _fill(value: Any, schema: dict[str, Any]) -> None:
    if not isinstance(value, dict):
        return
    for key, rule in schema.get("properties", {}).items():
        if key not in value and "default" in rule:
            default = rule["default"]
            value[key] = copy.deepcopy(default)
        if key in value:
            _fill(value[key], rule)


def _described(error: ValidationError, schema: dict[str, Any]) -> str:
    """What the schema says of the offending key, or of the nearest key around it."""
    if error.validator == "required" and isinstance(error.schema, dict):
        missing = next(key for key in error.schema["required"] if key not in error.instance)
        described: str = error.schema.get("properties", {}).get(missing, {}).get("description", "")
        if described:
            return described
    if isinstance(error.schema, dict) and isinstance(error.schema.get("description"), str):
        return str(error.schema["description"])
    nearest: str = ""
    place: Any = schema
    for step in error.absolute_schema_path:
        if step == "$ref" or (isinstance(place, dict) and step not in place):  # in another schema
            break
        place = place[step]
        if isinstance(place, dict) and isinstance(place.get("description"), str):
            nearest = place["description"]
    return nearest


def validate(
    value: dict[str, Any], name: str, where: str | Path, field: str = ""
) -> dict[str, Any]:
    """`value` with the schema's defaults filled in (in place); raises `InputError` on the first mistake.

    `field` is where in the file `value` stands.
    """
    schema = read_schema(name)
    _fill(value, schema)
    registry: Registry[Any] = Registry(retrieve=_retrieve)  # type: ignore[call-arg]
    error = best_match(Validator(schema, registry=registry).iter_errors(value))
    if error is None:
        return value
    rule: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    if error.validator == "additionalProperties":
        properties = rule.get("properties", {})
        # YAML reads `{lr:1e-5}` as one key without a value
        glued = next((key for key in error.instance if key not in properties and ":" in key), None)
        known = ", ".join(sorted(properties))
        fix = f"write a space after the colon of {glued}" if glued else f"known keys here: {known}"
    else:
        fix = _described(error, schema) or f"see workflow/schemas/{name}.schema.yaml"
    raise InputError(
        error.message,
        where=where,
        field=".".join([*filter(None, [field]), *map(str, error.absolute_path)]),
        fix=" ".join(fix.split()),
    )


def validate_kind(
    value: dict[str, Any], section: str, kind: str, where: str | Path, field: str
) -> dict[str, Any]:
    """`validate` for one of several kinds of a section, each with its schema <section>-<kind>.

    `field` is where in the file `value` stands: the section, whose key `kind` names it, or a key of that name.
    """
    if not has_schema(f"{section}-{kind}"):
        files = sorted(SCHEMAS.glob(f"{section}-*.schema.yaml"))
        known = [path.name.removesuffix(".schema.yaml").partition("-")[2] for path in files]
        place = f"{field}.kind" if value.get("kind") == kind else field
        file = f"workflow/schemas/{section}-{kind}.schema.yaml"
        raise unknown_name("kind", kind, known, where=where, field=place, add=file)
    return validate(value, f"{section}-{kind}", where, field)
