"""What one generated motion costs: sampled plainly, or under a method that trains nothing."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import torch

from motionrft.counting.flops import FlopCounter
from motionrft.finetune.memory_meter import PeakMemory
from motionrft.finetune.setup import FineTuning
from motionrft.finetune.training_free import TrainingFree


def sampling_cost(tuning: FineTuning) -> pd.DataFrame:
    """Tidy (name, value), each a motion: `forwards` and `backwards` of the guided network, `scorings` (decoded and
    scored, or also differentiated), `flops` and seconds `s` of the meter's clock, as training's are; and `peak_bytes` of a batch beside the weights.

    On the sampler's own table, in one batch of the run's prompts; model and reward as they stand.
    """
    meter, sample = tuning.sampler.meter, _sampled(tuning)
    for parameter in tuning.trained:
        parameter.requires_grad_(False)
    before = (meter.forwards, meter.backwards)
    with FlopCounter() as counter:
        sample()
    forwards, backwards = meter.forwards - before[0], meter.backwards - before[1]
    with PeakMemory(tuning.device, tuning.weights) as memory:
        begin = meter.seconds
        meter.start()
        scorings = sample()
        if tuning.device.type == "cuda":
            torch.cuda.synchronize(tuning.device)
        meter.stop()
        seconds = meter.seconds - begin
        peak = memory.take()
    for parameter in tuning.trained:
        parameter.requires_grad_(True)
    rows = len(tuning.batch(0))
    numbers = {
        "forwards": forwards,
        "backwards": backwards,
        "scorings": scorings,
        "flops": counter.flops / rows,
        "s": seconds / rows,
        "peak_bytes": peak,
    }
    return pd.DataFrame(
        [(name, float(value)) for name, value in numbers.items()], columns=["name", "value"]
    )


def _sampled(tuning: FineTuning) -> Callable[[], int]:
    """Samples a batch once; returns how often it was scored."""
    batch, method = tuning.batch(0), tuning.method

    @torch.no_grad()
    def sample() -> int:
        objective = tuning.objective(batch)
        if isinstance(method, TrainingFree):
            method.sample(tuning.sampler, tuning.levels, objective)
        else:
            tuning.sampler.sample(batch.condition, batch.noise())
        return objective.scorings

    return sample


ANALYSIS = sampling_cost
