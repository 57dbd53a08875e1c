"""Which of the validated weights is best, and when a run has learned enough, by the numbers of its validations.

A reward that is trained on rises to the end and so selects over-optimised weights; numbers of a judge it was not
trained with do not. Of several the one that gained least counts: none is traded for another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from motionrft.errors import InputError

LEAST = 1e-3  # a number below it counts as it: of a hundred prompts R@1 may be 0


def selection_score(
    select_by: str, numbers: Mapping[str, float], first: Mapping[str, float]
) -> float:
    """Larger is better. numbers: of this validation, by name; first: of the one before the first update.

    One name: its number, negated with a leading "-". Several, with commas between: the smallest
    log(number / first), or log(first / number) with a "-"; 0 for the model that the run began with.
    """
    names = [name.strip() for name in select_by.split(",")]
    for name in names:
        if name.removeprefix("-") not in numbers:
            raise InputError(
                f"the validation gives no {name.removeprefix('-')!r}",
                where="finetune",
                field="select_by",
                fix=f"choose from {', '.join(numbers)}, or give --evaluator for what a judge adds",
            )
    if len(names) == 1:
        return _signed(names[0], numbers)
    return min(_gain(name, numbers, first) for name in names)


def _signed(name: str, numbers: Mapping[str, float]) -> float:
    return -numbers[name[1:]] if name.startswith("-") else numbers[name]


def _gain(name: str, numbers: Mapping[str, float], first: Mapping[str, float]) -> float:
    plain = name.removeprefix("-")
    now, before = numbers[plain], first[plain]
    if min(now, before) < 0:
        raise InputError(
            f"{plain} is negative, it has no relative gain",
            where="finetune",
            field="select_by",
            fix="name it alone, or choose numbers of 0 and more",
        )
    gain = math.log(max(now, LEAST) / max(before, LEAST))
    return -gain if name.startswith("-") else gain
