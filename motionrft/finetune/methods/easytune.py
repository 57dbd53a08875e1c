"""EasyTune (arXiv 2602.07967): cut the chain at every step and update at every step of the window.

Step optimisation samples on with the updated weights; chain optimisation samples the whole
trajectory with the weights it began with, and updates a second set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from motionrft.finetune.method import Event, Method, Rollout, require
from motionrft.finetune.trajectory import Plan, follow
from motionrft.finetune.window import Window, step_weight

FORMS = ("one_step", "noise_aware")


@dataclass(frozen=True)
class EasyTune(Method):
    """variant   step | chain
    window    {kind, k, sweep, listed}, see windows.py
    form      one_step: the reward scores x0hat_i (ODE models); noise_aware: x_{i+1} at its own level
    one_step_before   steps before this one use the one-step form in any case (released `reward_t_switch`)
    weights   none | early | late
    single_update     accumulate the window's gradients into one update
    """

    variant: str = "step"
    window: Any = field(default_factory=lambda: {"kind": "last", "k": 1})
    form: str = "one_step"
    one_step_before: int = 0
    weights: str = "none"
    single_update: bool = False

    counts = ("k", "one_step_before")

    def __post_init__(self) -> None:
        require(
            isinstance(self.window, (Window, dict)),
            f"{self.window!r}",
            "window",
            "give {kind, k, sweep}",
        )
        if isinstance(self.window, dict):
            unknown = sorted(set(self.window) - {"kind", "k", "sweep", "listed"})
            require(
                not unknown, f"unknown key {unknown[:1]}", "window", "known: kind, k, sweep, listed"
            )
            object.__setattr__(self, "window", Window(**self.window))
        self.window.check(self.steps)
        require(
            self.variant in ("step", "chain"),
            f"unknown variant {self.variant!r}",
            "variant",
            "choose step or chain",
        )
        require(
            self.form in FORMS,
            f"unknown form {self.form!r}",
            "form",
            f"choose from {', '.join(FORMS)}",
        )
        require(
            self.weights in ("none", "early", "late"),
            f"unknown {self.weights!r}",
            "weights",
            "none, early or late",
        )
        require(
            0 <= self.one_step_before <= self.steps,
            f"{self.one_step_before}",
            "one_step_before",
            "0 to T",
        )

    @property
    def chain(self) -> bool:  # type: ignore[override]
        return self.variant == "chain"

    def updates_per_trajectory(self) -> int:
        return 1 if self.single_update else self.window.size(self.steps)

    def events(self, rollout: Rollout) -> Iterator[tuple[Event, ...]]:
        window = self.window.steps(self.steps, rollout.progress, rollout.rng)
        # with frozen sampling weights nothing needs to be pulled before all is scored, in one batch
        together = self.chain and rollout.activations == "exact"
        waiting: list[Event] = []
        x = rollout.noise.start
        for i in range(window[-1] + 1):
            live = i in window
            clean = (
                self.form == "one_step" or i < self.one_step_before or not rollout.trusted(i + 1)
            )
            point = follow(
                rollout, Plan(frozenset({i} if live else ()), last=i, clean=clean, start=i), x
            )
            x = point.following
            if live:
                event = Event(
                    point.z,
                    None if clean else i + 1,
                    i,
                    point.pull,
                    step_weight(self.weights, i, self.steps),
                    update=not self.single_update or i == window[-1],
                )
                del point
                if together:
                    waiting.append(event)
                else:
                    yield (event,)
        if together:
            yield tuple(waiting)


METHOD = EasyTune
