"""Memory over one trajectory, step by step (the paper's Fig. 6 and 9)."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from torch import Tensor

from motionrft.finetune.cost import MeteredSampler
from motionrft.finetune.loop import Course
from motionrft.finetune.memory_meter import SavedBytes
from motionrft.finetune.method import Event, Rollout
from motionrft.finetune.objective import Objective, Scored


class _Watch:
    """Notes what is held after every network call and at the peak of every scoring and pull."""

    def __init__(self, permanent: list[Tensor]):
        self.saved = SavedBytes(permanent)
        self.rows: list[tuple[int, int, str, int]] = []

    def note(self, step: int, phase: str) -> None:
        peak = self.saved.reset()
        self.rows.append((len(self.rows), step, phase, peak))


class _WatchedSampler(MeteredSampler):
    watch: _Watch
    phase = "denoise"

    def output(self, i: int, x: Tensor, condition: Any) -> Tensor:
        output = super().output(i, x, condition)
        self.watch.note(i, self.phase)
        return output


def footprint(course: Course) -> pd.DataFrame:
    """Bytes that autograd graphs hold during the first trajectory of a run, weights left as they are.

    Tidy: order, step, phase (denoise | score | pull), bytes: the peak since the row before.
    """
    import random

    watch = _Watch([*course.trained, *course.permanent])
    old = course.sampler
    sampler = _WatchedSampler(old.denoiser, old.table, old.guidance, old.meter, old.precision)
    sampler.watch = watch
    material, objective = course.material(0), course.objective()
    objective.begin(material.prompts)
    rollout = Rollout(
        sampler,
        material.condition,
        material.noise(),
        random.Random(f"{course.seed}/0"),
        progress=1.0,
        trusted=objective.trusted,
        activations=course.settings.activations,
    )
    with watch.saved:
        for group in course.method.events(rollout):
            for event in group:
                _score_and_pull(event, objective, sampler, watch)
    for parameter in course.trained:
        parameter.grad = None
    return pd.DataFrame(watch.rows, columns=["order", "step", "phase", "bytes"])


def _score_and_pull(
    event: Event, objective: Objective, sampler: _WatchedSampler, watch: _Watch
) -> None:
    scored: Scored = objective.score(event)
    watch.note(event.step, "score")
    sampler.phase = "pull"
    with torch.enable_grad():
        event.pull(scored.gradient)
    sampler.phase = "denoise"
    watch.note(event.step, "pull")
