"""The loop every method shares: score an event, pull its gradient, step, record, guard, resume.

Everything random in trajectory k is a function of (seed, k) and not of the method: prompts, noise,
dropout. A batch may run in slices (accumulation) and on several processes; their walks advance in lock
step, so that every piece of a trajectory sees the same weights at the same step.
"""

from __future__ import annotations

import contextlib
import logging
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from motionrft.errors import InputError
from motionrft.files import atomic, digest
from motionrft.finetune.batch import Material, pieces
from motionrft.finetune.cost import Flops, Meter, MeteredSampler, count_flops
from motionrft.finetune.memory_meter import PeakMemory
from motionrft.finetune.method import Anchor, Event, Method, Rollout
from motionrft.finetune.objective import Objective
from motionrft.finetune.optimizer import Updater, swapped
from motionrft.finetune.settings import Settings
from motionrft.progress import progress
from motionrft.training.distributed import rank, sum_gradients, sum_numbers, world_size
from motionrft.training.loop import step_generator

LOG = logging.getLogger(__name__)

# the policy in place -> numbers by name; `select_by` names the one that selection maximises
Validation = Callable[[], dict[str, float]]


@dataclass
class Course:
    """A run's fixed parts.

    material(k)   batch k
    objective()   a fresh objective around the same reward
    permanent     tensors that stay in memory whatever the method does (weights, frozen ones included)
    """

    sampler: MeteredSampler
    method: Method
    objective: Callable[[], Objective]
    material: Callable[[int], Material]
    trained: list[torch.nn.Parameter]
    settings: Settings
    seed: int
    permanent: list[torch.Tensor] = field(default_factory=list)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    validation: Validation | None = None
    label: str = "finetune"


@dataclass
class Tally:
    """What the events since the last update said: sums over slices, means when asked."""

    rows: float = 0.0
    loss: float = 0.0
    finite: bool = True
    step: int = -1
    rewards: dict[str, float] = field(default_factory=dict)

    def together(self, device: torch.device) -> Tally:
        """The tally of all processes; the rewards as means."""
        names = sorted(self.rewards)
        numbers = [
            self.rows,
            self.loss,
            0.0 if self.finite else 1.0,
            *(self.rewards[name] for name in names),
        ]
        rows, loss, bad, *rewards = sum_numbers(numbers, device)
        means = {name: value / rows for name, value in zip(names, rewards, strict=True)}
        return Tally(rows, loss, bad == 0.0, self.step, means)


class Training:
    """One run. `run` trains to the end of the budget, from the checkpoint if there is one."""

    def __init__(self, course: Course, checkpoint: str | Path):
        self.course, self.checkpoint = course, Path(checkpoint)
        settings, method = course.settings, course.method
        self.meter: Meter = course.sampler.meter
        calls = (
            2.0 * len(course.sampler)
            if method.updates_per_trajectory() > 1
            else len(course.sampler) + 1.0
        )
        planned = settings.budget.planned_updates(method.updates_per_trajectory(), calls)
        if settings.budget.kind == "seconds" and world_size() > 1:
            raise InputError(
                "processes would stop at different updates",
                where="finetune",
                field="seconds",
                fix="give a budget of updates, trajectories or denoiser_calls",
            )
        self.updater = Updater(
            course.trained, settings.optimisation, planned=planned, chain=method.chain
        )
        self.anchor = self._anchor() if settings.kl else None
        self.record: list[tuple[int, str, float]] = []
        self.best: dict[str, Any] = {"score": float("-inf"), "update": -1, "weights": None}
        self.good = self.updater.weights()
        self.trajectory = self.stale = 0
        self.ended = ""
        self.flops: Flops | None = None

    # the loop

    def run(self) -> pd.DataFrame:
        """Trains; the module ends with the weights that `select` names. Returns the tidy record."""
        if self._load():
            LOG.info("%s goes on from trajectory %d", self.course.label, self.trajectory)
        elif self.course.validation is not None and self.course.settings.validate_every:
            self._validate()
        bar = progress(
            self._trajectories(),
            total=self._planned_trajectories(),
            initial=self.trajectory,
            label=self.course.label,
        )
        for tally in bar:
            bar.set_postfix(
                reward=f"{tally.rewards.get('total', float('nan')):.4f}",
                skipped=self.updater.skipped,
            )
        if self.ended == "too many refused updates":
            self.updater.restore(self.good)
        elif self.course.settings.select == "best" and self.best["weights"] is not None:
            self.updater.restore(self.best["weights"])
        self.updater.refresh()
        return pd.DataFrame(self.record, columns=["update", "name", "value"])

    def _trajectories(self) -> Iterator[Tally]:
        settings, updater = self.course.settings, self.updater
        while not self._over():
            before, skipped = updater.weights(), updater.skipped
            yield self._trajectory(self.trajectory)
            updater.refresh()
            if updater.skipped == skipped:
                self.good = before
            self.trajectory += 1
            if (
                self.trajectory % settings.checkpoint_every == 0
                and not self._over()
                and rank() == 0
            ):
                self._save()

    def _trajectory(self, k: int) -> Tally:
        course, settings = self.course, self.course.settings
        material = course.material(k)
        if self.flops is None:
            self.flops = self._flops(material)
        own_rank, world = rank(), world_size()
        mine = pieces(len(material), settings.slices * world)[own_rank * settings.slices :][
            : settings.slices
        ]
        step_generator(course.seed, k, course.device)
        self.meter.start()
        parts = [material.rows(part) for part in mine]
        objectives = [course.objective() for _ in parts]
        for objective, part in zip(objectives, parts, strict=True):
            objective.begin(part.prompts, rows=len(material))
        streams = [
            course.method.events(self._rollout(part, objective, k, len(part) / len(material)))
            for part, objective in zip(parts, objectives, strict=True)
        ]
        probed = k < 3 or k % settings.probe_every == 0
        with (
            PeakMemory(course.device, [*course.trained, *course.permanent])
            if probed
            else contextlib.nullcontext() as probe
        ):
            tally = self._walk(streams, objectives, k, probe)
        self.meter.stop()
        return tally

    def _walk(
        self,
        streams: list[Iterator[tuple[Event, ...]]],
        objectives: list[Objective],
        k: int,
        probe: PeakMemory | None,
    ) -> Tally:
        """All slices step by step to their ends, or to the end of the budget; the last update's tally."""
        tally = last = Tally()
        for groups in zip(*streams, strict=True):
            for events in zip(*groups, strict=True):
                self._score(list(events), objectives, tally)
                if events[0].update:
                    last, tally = self._update(tally, k, probe), Tally()
                    if self._over():
                        return last
        return last

    def _score(self, events: list[Event], objectives: list[Objective], tally: Tally) -> None:
        for event, objective in zip(events, objectives, strict=True):
            scored = objective.score(event)
            self.meter.scorings += 1
            if scored.finite:
                event.pull(scored.gradient)
            else:
                tally.finite = False
            rows = len(objective.prompts)
            tally.rows += rows
            tally.loss += scored.loss
            tally.step = event.step
            for name, value in scored.rewards.items():
                tally.rewards[name] = tally.rewards.get(name, 0.0) + rows * value

    def _update(self, tally: Tally, k: int, probe: PeakMemory | None) -> Tally:
        sum_gradients(self.course.trained)
        tally = tally.together(self.course.device)
        outcome = self.updater.apply(finite=tally.finite)
        peak = probe.take() if probe is not None else None
        self._log(
            {
                "trajectory": k,
                "step": tally.step,
                "loss": tally.loss,
                "grad_norm": outcome.norm,
                "lr": outcome.rate,
                "skipped": self.updater.skipped,
                **{_reward_name(name): value for name, value in tally.rewards.items()},
                **({} if peak is None else {"peak_bytes": peak}),
            }
        )
        every = self.course.settings.validate_every
        if self.course.validation is not None and every and self.updater.updates % every == 0:
            self.meter.stop()
            self._validate()
            self.meter.start()
            if probe is not None:
                probe.take()
        if self.updater.streak >= self.course.settings.max_skipped:
            self.ended = "too many refused updates"
        return tally

    # its parts

    def _over(self) -> bool:
        return bool(self.ended) or self._progress() >= 1.0

    def _progress(self) -> float:
        meter = self.meter
        return self.course.settings.budget.spent(
            self.updater.updates, self.trajectory, meter.denoiser_calls, meter.wall_s
        )

    def _planned_trajectories(self) -> int:
        budget = self.course.settings.budget
        per = self.course.method.updates_per_trajectory()
        return (
            int(budget.amount) if budget.kind == "trajectories" else -(-self.updater.planned // per)
        )

    def _rollout(self, part: Material, objective: Objective, k: int, share: float) -> Rollout:
        course = self.course
        anchor = self.anchor and replace(self.anchor, beta=self.anchor.beta * share)
        return Rollout(
            course.sampler,
            part.condition,
            part.noise(),
            random.Random(f"{course.seed}/{k}"),
            progress=min(self._progress(), 1.0),
            trusted=objective.trusted,
            activations=course.settings.activations,
            anchor=anchor,
        )

    def _anchor(self) -> Anchor:
        """The pre-trained weights change places with the trained ones for one call; no second model."""
        course = self.course
        pretrained = [parameter.detach().clone() for parameter in course.trained]

        @torch.no_grad()
        def reference(i: int, x: torch.Tensor, condition: Any) -> torch.Tensor:
            with swapped(course.trained, pretrained):
                return course.sampler.output(i, x, condition)

        return Anchor(course.settings.kl, reference)

    def _flops(self, material: Material) -> Flops:
        """Of one slice of the first batch; the step's network call, its backward, and one scoring."""
        course = self.course
        part = material.rows(pieces(len(material), course.settings.slices * world_size())[0])
        objective = course.objective()
        objective.begin(part.prompts)
        x = part.noise().start
        event = Event(x, None, 0, lambda gradient: None)
        flops = count_flops(
            lambda: course.sampler.output(0, x, part.condition),
            lambda: objective.score(event),
            self.meter,
        )
        for parameter in course.trained:
            parameter.grad = None
        return flops

    def _validate(self) -> None:
        assert self.course.validation is not None
        with (
            swapped(self.course.trained, self.updater.policy)
            if self.updater.chain
            else contextlib.nullcontext()
        ):
            numbers = self.course.validation()
        update = self.updater.updates
        if update == 0:
            self._log({"trajectory": 0})
        self.record += [(update, f"val/{name}", float(value)) for name, value in numbers.items()]
        settings = self.course.settings
        name = settings.select_by.removeprefix("-")
        if name not in numbers:
            raise InputError(
                f"the validation gives no {name!r}",
                where="finetune",
                field="select_by",
                fix=f"choose from {', '.join(numbers)}",
            )
        score = numbers[name] if name == settings.select_by else -numbers[name]
        if score > self.best["score"]:
            self.best = {
                "score": score,
                "update": update,
                "weights": self.updater.weights(),
            }
            self.stale = 0
        else:
            self.stale += 1
            if settings.patience and self.stale >= settings.patience:
                self.ended = "no improvement on validation"

    def _log(self, values: dict[str, float]) -> None:
        counts = self.meter.counts()
        if self.flops is not None:
            counts["flops"] = self.flops.of(counts)
        elif self.updater.updates == 0:
            counts["flops"] = 0.0
        update = self.updater.updates
        self.record += [
            (update, name, float(value)) for name, value in {**values, **counts}.items()
        ]

    # resuming

    def _save(self) -> None:
        state = {
            "run": self._identity(),
            "trajectory": self.trajectory,
            "updater": self.updater.state(),
            "meter": asdict(self.meter),
            "flops": asdict(self.flops or Flops(0, 0, 0)),
            "record": self.record,
            "best": self.best,
            "good": self.good,
            "stale": self.stale,
        }
        with atomic(self.checkpoint) as temporary:
            torch.save(state, temporary)

    def _identity(self) -> str:
        """What a checkpoint must have in common with the run that goes on from it."""
        course = self.course
        shapes = [tuple(parameter.shape) for parameter in course.trained]
        facts = [
            asdict(course.settings),
            type(course.method).__name__,
            asdict(course.method),
            course.seed,
            shapes,
        ]
        return digest(facts)

    def _load(self) -> bool:
        """Reads the checkpoint back; False if there is none, or one of other settings."""
        if not self.checkpoint.exists():
            return False
        try:
            state = torch.load(self.checkpoint, weights_only=True, map_location=self.course.device)
        except Exception as error:
            problem = f"unreadable checkpoint ({type(error).__name__})"
            raise InputError(
                problem, where=self.checkpoint, fix="delete it to start that job over"
            ) from error
        if state["run"] != self._identity():
            LOG.warning("%s is of a run with other settings: starting over", self.checkpoint)
            return False
        self.updater.load(state["updater"])
        for name, value in state["meter"].items():
            setattr(self.meter, name, value)
        self.trajectory, self.stale = state["trajectory"], state["stale"]
        self.record = [tuple(row) for row in state["record"]]
        self.best, self.good = state["best"], state["good"]
        self.flops = Flops(**state["flops"])
        return True


def _reward_name(name: str) -> str:
    return "reward" if name == "total" else f"reward/{name}"
