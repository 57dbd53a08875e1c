"""Which of the validated weights is best, and when a run has learned enough, by the numbers of its validations.

A reward that is trained on rises to the end and so selects over-optimised weights; numbers of a judge it was not
trained with do not. A hundred prompts leave each of these a standard error that is as large as most gains, R@1 one of
.05: several numbers are weighed in standard errors, and a loss of less than one says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from motionrft.errors import InputError

ERROR = " error"  # after the name of a number that is a mean over prompts: its standard error


def standard_errors(prompts: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """ "<name> error" of each number that is a mean over prompts; those without a finite value are left out.

    prompts: by name, one value a prompt.
    """
    errors = {}
    for name, values in prompts.items():
        rows = np.asarray(values, dtype=np.float64)
        rows = rows[np.isfinite(rows)]
        enough = len(rows) > 1
        errors[name + ERROR] = (
            float(rows.std(ddof=1)) / math.sqrt(len(rows)) if enough else math.nan
        )
    return errors


def selection_score(
    select_by: str, numbers: Mapping[str, float], first: Mapping[str, float]
) -> float:
    """Larger is better. numbers: of this validation, by name; first: of the one before the first update.

    One name: its number, negated with a leading "-". Several, with commas between: the mean of their gains since the
    first validation, each in standard errors of the number there; where one lost a standard error or more the least of
    them, so that none is traded for another. 0 for the model that the run began with.
    """
    names = [name.strip() for name in select_by.split(",")]
    for name in names:
        if name.removeprefix("-") not in numbers:
            _refuse(
                f"the validation gives no {name.removeprefix('-')!r}",
                f"choose from {', '.join(numbers)}, or give --evaluator for what a judge adds",
            )
    if len(names) == 1:
        return _signed(names[0], numbers)
    gains = [_gain(name, numbers, first) for name in names]
    least = min(gains)
    return sum(gains) / len(gains) if least > -1 else least


def _signed(name: str, numbers: Mapping[str, float]) -> float:
    return -numbers[name[1:]] if name.startswith("-") else numbers[name]


def _gain(name: str, numbers: Mapping[str, float], first: Mapping[str, float]) -> float:
    """Since the first validation, in its standard errors."""
    plain = name.removeprefix("-")
    if plain + ERROR not in first:
        means = [known.removesuffix(ERROR) for known in first if known.endswith(ERROR)]
        _refuse(
            f"{plain} has no standard error",
            f"name it alone, or choose from {', '.join(means)}",
        )
    gain, error = _signed(name, numbers) - _signed(name, first), first[plain + ERROR]
    if error == 0.0:  # all prompts alike: any difference counts for more than what has a spread
        return gain * math.inf if gain else 0.0
    return gain / error


def _refuse(problem: str, fix: str) -> None:
    raise InputError(problem, where="finetune", field="select_by", fix=fix)
