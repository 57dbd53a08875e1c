"""EasyTune (arXiv 2602.07967): cut the chain at every step and update at every step of the window.

Step optimisation samples on with the updated weights; chain optimisation samples the whole
trajectory with the weights it began with, and updates a second set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

from motionrft.diffusion.reward_form import REWARD_FORMS
from motionrft.finetune.method import Method, require_one_of
from motionrft.finetune.reward_timestep import CLEAN, Level, scored_level
from motionrft.finetune.trajectory import Sample, Walk
from motionrft.finetune.window import STEP_WEIGHTS, Window, step_weight


@dataclass(frozen=True)
class EasyTune(Method):
    """variant   step | chain
    window    which steps are trained (window.py)
    form      one_step: the reward scores x̂0_i (ODE models); noise_aware: x_{i+1} at its own level
    weights   none | early | late: of the steps (EasyTune Table S4)
    single_update     accumulate the window's gradients into one update
    """

    variant: str = "step"
    window: Window = field(default_factory=Window)
    form: str = "one_step"
    weights: str = "none"
    single_update: bool = False

    counts: ClassVar[tuple[str, ...]] = ("k",)

    def __post_init__(self) -> None:
        self.window.check(self.steps)
        require_one_of(("step", "chain"), self.variant, "variant")
        require_one_of(REWARD_FORMS, self.form, "form")
        require_one_of(STEP_WEIGHTS, self.weights, "weights")

    @property
    def chain(self) -> bool:  # type: ignore[override]
        return self.variant == "chain"

    def updates_per_trajectory(self) -> int:
        return 1 if self.single_update else self.window.size(self.steps)

    def most_live(self) -> int:
        return 1

    def level(self, walk: Walk, i: int) -> Level | None:
        """The level of x_{i+1}, or None: the clean estimate is scored."""
        return scored_level(walk.levels, i, self.form)

    def samples(self, walk: Walk) -> Iterator[Sample]:
        """EasyTune eq. 6-8: x_{i+1} = step(sg(x_i)), one sample and one update at each step of the window."""
        window, x = self.window.steps(self.steps, walk.progress, walk.rng), None
        for i in range(window[-1] + 1):
            level = self.level(walk, i)
            live = {i}.intersection(window)
            sample = walk.run(i, live, start=i, x=x, clean=level is None, level=level or CLEAN)
            x = sample.next
            if live:
                weight = step_weight(self.weights, i, self.steps)
                update = not self.single_update or i == window[-1]
                yield replace(sample, weight=weight, update=update)


METHOD = EasyTune
