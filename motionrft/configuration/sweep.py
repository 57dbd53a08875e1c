"""`sweep: {finetune.lr: [1e-5, 3e-5]}`: every method once for each value, as methods of their own.

easytune becomes easytune-lr1e-5 and easytune-lr3e-5, cells of the matrix as any others: they have their jobs, their rows in
the tables and their lines in the figures. Several keys are crossed.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from motionrft.configuration.layers import merge
from motionrft.configuration.methods import trains
from motionrft.errors import InputError

SECTION = "finetune."


@dataclass(frozen=True)
class Variant:
    """A method's section with one value of each swept key, and these alone, as changes."""

    section: dict[str, Any]
    change: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.section["name"])


def swept_methods(
    methods: dict[str, dict[str, Any]], sweep: dict[str, list[Any]], tuned: bool, where: str | Path
) -> dict[str, list[Variant]]:
    """Each method's variants, by the method's name; without a sweep, or without training, the method
    alone.

    tuned: the run chooses the learning rates itself.
    """
    if not sweep:
        return {name: [Variant(section)] for name, section in methods.items()}
    if tuned and "finetune.lr" in sweep:
        raise InputError(
            "the run tunes its learning rates", where=where, field="sweep.finetune.lr",
            fix="leave out one of tune and this sweep",
        )  # fmt: skip
    keys = [key.removeprefix(SECTION) for key in sweep]
    for key, values in sweep.items():
        names = [shown(value) for value in values]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InputError(
                f"{twice} stands twice", where=where, field=f"sweep.{key}", fix="leave one out"
            )
    return {
        name: [
            _variant(name, section, dict(zip(keys, values, strict=True)))
            for values in itertools.product(*sweep.values())
        ]
        if trains(section)
        else [Variant(section)]
        for name, section in methods.items()
    }


def _variant(name: str, section: dict[str, Any], chosen: dict[str, Any]) -> Variant:
    change: dict[str, Any] = {}
    for key, value in chosen.items():
        nested: Any = value
        for step in reversed(key.split(".")):
            nested = {step: nested}
        change = merge(change, nested)
    suffix = "".join(f"-{key}{shown(value)}" for key, value in chosen.items())
    said = "".join(f", {key} {shown(value)}" for key, value in chosen.items())
    label = f"{section.get('label', name)}{said}"
    named = {"name": f"{name}{suffix}", "label": label, "sweep_of": name}
    return Variant({**merge(section, change), **named}, change)


def shown(value: Any) -> str:
    """A value as names and labels have it: 1e-5, 1.2e-4, 0.3, true."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        text = f"{value:g}"
        if 0 < abs(value) < 1e-3:  # :g begins with exponents at 1e-5 only
            mantissa, _, exponent = f"{value:.5e}".partition("e")
            text = f"{mantissa.rstrip('0').rstrip('.')}e{exponent}"
        return re.sub(r"e([+-])0*", lambda found: f"e{found[1].strip('+')}", text)
    return str(value)
