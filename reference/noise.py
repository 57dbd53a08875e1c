"""The noise of a recorded run, in the place of a sampler's own."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass
class RecordedNoise:
    """start: where the run starts; steps [T, …]: what each step added, None for a sampler that adds none."""

    start: Tensor
    steps: Tensor | None = None

    def __call__(self, i: int) -> Tensor:
        if self.steps is None:
            raise AssertionError(f"a sampler without noise asked for some at step {i}")
        return self.steps[i]
