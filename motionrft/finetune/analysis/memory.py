"""Memory over one trajectory, step by step (the paper's Fig. 6 and 9), in every activation form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import torch
from torch import Tensor

from motionrft.backbones.base import Condition
from motionrft.finetune.cost import MeteredSampler
from motionrft.finetune.memory_meter import SavedBytes
from motionrft.finetune.settings import ACTIVATIONS
from motionrft.finetune.setup import FineTuning
from motionrft.finetune.trajectory import Sample


class _Log:
    """The peak between two notes, by denoising step and by what was done."""

    def __init__(self, weights: Sequence[Tensor]):
        self.saved = SavedBytes(weights)
        self.rows: list[tuple[int, int, str, int]] = []

    def note(self, step: int, phase: str) -> None:
        self.rows.append((len(self.rows), step, phase, self.saved.reset()))


class _LoggedSampler(MeteredSampler):
    """Notes what is held after every network call."""

    def __init__(self, sampler: MeteredSampler, log: _Log):
        super().__init__(
            sampler.denoiser, sampler.table, sampler.guidance, sampler.meter, sampler.precision
        )
        self.log, self.phase = log, "denoise"

    def output(self, i: int, x: Tensor, condition: Condition) -> Tensor:
        output = super().output(i, x, condition)
        self.log.note(i, self.phase)
        return output


def graph_bytes(tuning: FineTuning) -> pd.DataFrame:
    """Bytes that autograd graphs hold during the first trajectory of a run, weights left as they are.

    Tidy: order, step, phase (denoise | score | backward), bytes: the peak since the row before.
    """
    log = _Log(tuning.weights)
    sampler = _LoggedSampler(tuning.sampler, log)
    batch = tuning.batch(0)
    objective = tuning.objective(batch)
    with log.saved:
        for sample in tuning.method.samples(replace(tuning, sampler=sampler).walk(batch, 0)):
            if not isinstance(sample, Sample) or not sample.scored:  # learnt from in one
                sample.learn(objective)
                log.note(sample.step, "backward")
                continue
            score = objective.score(sample.z, sample.level, sample.weight)
            log.note(sample.step, "score")
            sampler.phase = "backward"
            assert score.gradient is not None
            with torch.enable_grad():
                sample.backward(score.gradient)
            sampler.phase = "denoise"
            log.note(sample.step, "backward")
    for parameter in tuning.trained:
        parameter.grad = None
    return pd.DataFrame(log.rows, columns=["order", "step", "phase", "bytes"])


def memory(tuning: FineTuning) -> pd.DataFrame:
    """`graph_bytes` in every activation form: column `activations`."""
    frames = []
    for form in ACTIVATIONS:
        settings = replace(tuning.settings, activations=form, train_dropout=False)
        frames.append(graph_bytes(replace(tuning, settings=settings)).assign(activations=form))
    return pd.concat(frames, ignore_index=True)


ANALYSIS = memory
