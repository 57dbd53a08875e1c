"""Rewards that have a value and no gradient, a file each, found by name: a method's `values: {<name>: weight}`.

`<name>.py` defines `VALUE`: from a `motionrft.finetune.value_reward.Scene` to a function of raw features [B, T, dim],
lengths [B] and captions that gives [B], the more the better. Only methods that need the reward's value alone take them.
Importing this package loads none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motionrft import drop_ins

if TYPE_CHECKING:
    from collections.abc import Callable

    from motionrft.finetune.value_reward import Scene, Value


def names() -> list[str]:
    """All of them, sorted; none is imported."""
    return drop_ins.names(__name__)


def load(name: str) -> Callable[[Scene], Value]:
    """The `VALUE` of `motionrft/finetune/values/<name>.py`."""
    value: Callable[[Scene], Value] = drop_ins.load(__name__, name, "value", "values").VALUE
    return value
