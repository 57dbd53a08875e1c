"""The learning rate of a cell, chosen on the validation split: one short run a rate, with a seed that no result uses."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from motionrft.errors import InputError
from motionrft.finetune.loop import Training
from motionrft.finetune.selection import selection_score
from motionrft.finetune.setup import FineTuning
from motionrft.metrics.training_record import wide

LOG = logging.getLogger(__name__)


def tune_rate(
    prepared: Callable[[float], FineTuning], rates: Sequence[float], checkpoints: Path
) -> dict[str, Any]:
    """{rate, trials, seconds}: the rate whose best validation is best by `select_by`, and a dictionary a trial with what it
    reached and what it cost (seconds of training, validations left out). Ties go to the smaller rate.

    prepared: the cell with this rate. The test split is never read.
    """
    trials = [_trial(prepared(rate), rate, checkpoints / f"{rate:g}.pt") for rate in sorted(rates)]
    best = max(trials, key=lambda trial: trial["score"])
    if best["score"] <= trials[0]["first_score"]:
        LOG.warning("no rate is better on validation than the base model")
    seconds = sum(trial["seconds"] for trial in trials)
    return {"rate": best["rate"], "trials": trials, "seconds": seconds}


def _trial(tuning: FineTuning, rate: float, checkpoint: Path) -> dict[str, Any]:
    settings = tuning.settings
    if tuning.validation is None or not settings.validate_every:
        raise InputError(
            "a rate is chosen by validations",
            where="finetune",
            field="validate_every",
            fix="set it, or leave `tune` out of the run",
        )
    training = Training(tuning, checkpoint)
    table = wide(training.run())
    checkpoint.unlink(missing_ok=True)
    names = [name for name in table if name.startswith("val/")]
    validations = table[["update", *names]].dropna(subset=["val/reward"])
    numbers = [
        {name.removeprefix("val/"): float(value) for name, value in row.items()}
        for row in validations[names].to_dict("records")
    ]
    scores = [selection_score(settings.select_by, entry, numbers[0]) for entry in numbers]
    scores = [score if math.isfinite(score) else -math.inf for score in scores]
    place = max(range(1, len(scores)), key=scores.__getitem__, default=0)
    return {
        "rate": rate,
        "score": scores[place],
        "first_score": scores[0],
        "update": int(validations["update"].iloc[place]),
        "updates": training.updater.updates,
        "skipped": training.updater.skipped,
        "seconds": tuning.sampler.meter.seconds,
        "validation": numbers[place],
    }
