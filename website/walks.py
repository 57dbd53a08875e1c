"""How a method walks the sampler, from its own code: `samples` on a walk that notes what it is asked for."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch

from motionrft.finetune.method import Method
from motionrft.finetune.reward_timestep import CLEAN
from motionrft.finetune.trajectory import Sample


@dataclass
class Walked:
    """Steps `start … last`, those of `live` with gradient. clean: the sample is the clean estimate; cut: the network's
    input is cut; scored: the reward reads the sample."""

    start: int
    last: int
    live: frozenset[int]
    clean: bool
    cut: bool
    scored: bool = False


class _Noted:
    """A walk of which the samples are zeros and every call is noted."""

    def __init__(self, steps: int, seed: int):
        columns = torch.zeros(steps + 1)
        self.sampler = SimpleNamespace(table=SimpleNamespace(signal=columns, noise=columns))
        self.levels, self.rng, self.progress = [CLEAN] * (steps + 1), random.Random(seed), 1.0
        self.noise = lambda i: torch.zeros(())
        self.parts: list[Walked] = []

    def holding(self, what: str) -> _Noted:
        """What steps without gradient hold is no matter here."""
        del what
        return self

    def run(
        self,
        last: int,
        live: Iterable[int],
        *,
        start: int = 0,
        clean: bool = False,
        cut_input: bool = False,
        **_: Any,
    ) -> Sample:
        kept = frozenset(live) & frozenset(range(start, last + 1))
        self.parts.append(Walked(start, last, kept, clean, cut_input))
        nothing = torch.zeros(())
        return Sample(nothing, last, nothing, lambda gradient: None)


def walked(method: Method, seed: int = 0) -> list[Walked]:
    """One trajectory of a method that differentiates the reward."""
    walk = _Noted(method.steps, seed)
    for _ in method.samples(walk):  # type: ignore[arg-type]
        walk.parts[-1].scored = True
    return walk.parts
