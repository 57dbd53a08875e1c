"""A method from its configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from motionrft.finetune import released
from motionrft.finetune.method import Method
from motionrft.finetune.methods import method_family
from motionrft.options import read_options


def read_method(section: Mapping[str, Any], steps: int, reward_form: str) -> Method:
    """{family, options: {…, of: 50}} for a sampler of `steps` steps, on a backbone with that reward form.

    With `of: n` the options that count steps are meant for a sampler of n steps and scale to this one.
    """
    where = f"config/methods/{section.get('name', section['family'])}.yaml"
    options = dict(section.get("options", {}))
    of = options.pop("of", None)
    kind = released.method(section["family"], method_family(section["family"]), options)
    if "form" in {entry.name for entry in fields(kind)}:
        options.setdefault("form", reward_form)
    if of is not None:
        options = _scaled(options, kind.counts, steps / of)
    return read_options(kind, options, where=where, field="options", steps=steps)


def _scaled(options: Mapping[str, Any], counts: Sequence[str], ratio: float) -> dict[str, Any]:
    scaled: dict[str, Any] = {}
    for name, value in options.items():
        if isinstance(value, Mapping):
            scaled[name] = _scaled(value, counts, ratio)
        else:
            scaled[name] = max(1, round(value * ratio)) if name in counts and value else value
    return scaled
