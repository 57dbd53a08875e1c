"""A section of a configuration as a checked dataclass: the one place that knows what a section may hold."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from motionrft.errors import InputError

Options = TypeVar("Options")

NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def read_options(
    kind: type[Options],
    section: Mapping[str, Any],
    *,
    where: str | Path = "",
    field: str = "",
    **given: Any,
) -> Options:
    """`kind`, a dataclass, from the keys of `section`; a field that is itself a dataclass from its own section.

    given: values of fields that the section may not set. where, field: the file and the place in it that
    errors name. An unknown or missing key and a value of another type are an `InputError`; a list becomes
    the tuple that the field is annotated with.
    """
    if not isinstance(section, Mapping):
        raise InputError(f"{section!r} is not a section", where=where, field=field, fix="use keys")
    wanted = {entry.name: entry for entry in fields(kind) if entry.name not in given}  # type: ignore[arg-type]
    refuse_unknown(section, wanted, where=where, field=field)
    hints = get_type_hints(kind)
    values = dict(given)
    for name, entry in wanted.items():
        place = f"{field}.{name}" if field else name
        if name in section:
            values[name] = _value(section[name], hints[name], where, place)
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise InputError("missing", where=where, field=place, fix=f"set {name} there")
    return kind(**values)


def must_fit(options: object, field: str, wanted: Mapping[str, tuple[bool, str]]) -> None:
    """An `InputError` for the first field of the dataclass `options` that does not fit with the others.

    wanted: by a field's name whether it fits, and what would. field: the section's place.
    """
    for name, (fits, fix) in wanted.items():
        if not fits:
            value = getattr(options, name)
            raise InputError(f"{value!r} does not fit", field=f"{field}.{name}", fix=fix)


def first_changed(changed: Mapping[str, object]) -> str:
    """The first name whose value is true, of options by whether they differ from the official network's; empty: none does."""
    return next((name for name, different in changed.items() if different), "")


def refuse_unknown(
    section: Iterable[str], known: Iterable[str], *, where: str | Path = "", field: str = ""
) -> None:
    """An `InputError` for the first key of `section` that is not `known`."""
    known = sorted(known)
    for name in sorted(set(section) - set(known), key=str):
        close = difflib.get_close_matches(str(name), known, 1)
        guess = f"did you mean {close[0]}? " if close else ""
        raise InputError(
            f"unknown key {name!r}",
            where=where,
            field=f"{field}.{name}" if field else str(name),
            fix=f"{guess}known keys: {', '.join(known)}",
        )


def _value(value: Any, hint: Any, where: str | Path, place: str) -> Any:
    """`value` as the annotation `hint` says; anything that does not fit is an `InputError` about `place`."""
    if is_dataclass(hint) and isinstance(hint, type):
        if isinstance(value, hint):
            return value
        return read_options(hint, value, where=where, field=place)
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union(value, inner, where, place)
    if origin is Literal:
        _require(value in inner, value, f"one of {', '.join(map(str, inner))}", where, place)
        return value
    if origin is tuple:
        return _tuple(value, inner, where, place)
    if hint is float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        _require(number, value, NAMES[float], where, place)
        return value
    if hint in NAMES:
        fits = isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
        _require(fits, value, NAMES[hint], where, place)
        return value
    container = origin or hint
    if isinstance(container, type) and issubclass(container, Mapping):
        _require(isinstance(value, Mapping), value, "a section of keys", where, place)
    elif isinstance(container, type) and issubclass(container, Sequence):
        listed = isinstance(value, Sequence) and not isinstance(value, str)
        _require(listed, value, "a list", where, place)
    return value


def _union(value: Any, kinds: tuple[Any, ...], where: str | Path, place: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    problem: InputError | None = None
    for kind in kinds:
        if kind is not type(None):
            try:
                return _value(value, kind, where, place)
            except InputError as error:
                problem = error
    assert problem is not None
    raise problem


def _tuple(value: Any, kinds: tuple[Any, ...], where: str | Path, place: str) -> tuple[Any, ...]:
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    _require(listed, value, "a list", where, place)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    _require(len(value) == len(kinds), value, f"a list of {len(kinds)}", where, place)
    pairs = zip(value, kinds, strict=True)
    return tuple(_value(item, kind, where, f"{place}[{i}]") for i, (item, kind) in enumerate(pairs))


def _require(fits: bool, value: Any, wanted: str, where: str | Path, place: str) -> None:
    if not fits:
        raise InputError(f"{value!r} does not fit", where=where, field=place, fix=f"give {wanted}")
