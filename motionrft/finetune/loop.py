"""The loop every method shares: score a sample, walk its gradient back, step, record, resume.

Everything random in trajectory k is a function of (seed, k) and not of the method: prompts, noise,
dropout. A batch may run in slices (accumulation) and on several processes; their walks advance in lock
step, so that every piece of a trajectory sees the same weights at the same step.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, replace
from pathlib import Path
from typing import Any

import pandas as pd

from motionrft.errors import InputError
from motionrft.finetune.batch import PromptBatch, pieces
from motionrft.finetune.cost import Flops, Meter, count_flops
from motionrft.finetune.kl_penalty import KLPenalty, kl_to
from motionrft.finetune.memory_choice import smaller
from motionrft.finetune.memory_meter import PeakMemory, out_of_memory, release
from motionrft.finetune.memory_plan import memory_plan
from motionrft.finetune.objective import Objective, Score, Scored
from motionrft.finetune.optimizer import Updater, copied, swapped
from motionrft.finetune.selection import selection_score
from motionrft.finetune.setup import FineTuning
from motionrft.finetune.trajectory import Lesson, Sample, Walk
from motionrft.finetune.validation import RECORDED
from motionrft.progress import progress
from motionrft.training.checkpoint import BestWeights, Checkpoint, CheckpointClock
from motionrft.training.distributed import rank, sum_gradients, world_size
from motionrft.training.loop import step_generator
from motionrft.training.tracking import track

LOG = logging.getLogger(__name__)
REFUSED = "too many refused updates"


class Training:
    """One run. `run` trains to the end of the budget, from the checkpoint if there is one."""

    def __init__(self, tuning: FineTuning, checkpoint: str | Path):
        self.tuning = tuning
        self.checkpoint = Checkpoint(Path(checkpoint), self._identity())
        self.plan = memory_plan(tuning)
        if self.plan is not None:
            self.tuning = replace(tuning, settings=self.plan.applied(tuning.settings))
        settings, method, steps = tuning.settings, tuning.method, len(tuning.sampler)
        self.meter: Meter = tuning.sampler.meter
        updates = method.updates_per_trajectory()
        calls = 2.0 * steps if updates > 1 else steps + 1.0
        if settings.budget.kind == "seconds" and world_size() > 1:
            raise InputError(
                "processes would stop at different updates",
                where="finetune",
                field="seconds",
                fix="give a budget of updates, trajectories or denoiser_calls",
            )
        planned = settings.budget.planned_updates(updates, calls)
        self.updater = Updater(
            tuning.trained, settings.optimisation, planned=planned, chain=method.chain
        )
        self.kl: KLPenalty | None = None
        if settings.kl:
            assert tuning.reference is not None
            self.kl = kl_to(settings.kl, tuning.sampler, tuning.reference)
        self.record: list[tuple[int, str, float]] = []
        self.best = BestWeights()
        self.good = self.updater.weights()
        self.trajectory = self.validations_since_best = 0
        self.ended = ""
        self.flops: Flops | None = None

    # the loop

    def run(self) -> pd.DataFrame:
        """Trains; the module ends with the weights that `select` names. Returns the tidy record."""
        if self.resume():
            LOG.info(
                "%s goes on from trajectory %d of %d, update %d of %d", self.tuning.label,
                self.trajectory, self._planned_trajectories(), self.updater.updates,
                self.updater.planned,
            )  # fmt: skip
        elif self.tuning.validation is not None and self.tuning.settings.validate_every:
            self._validate()
        bar = progress(
            self._trajectories(),
            total=self._planned_trajectories(),
            initial=self.trajectory,
            label=self.tuning.label,
            unit="trajectories",
        )
        for scored in bar:
            reward = scored.rewards.get("total", float("nan"))
            bar.set_postfix(
                updates=f"{self.updater.updates} of {self.updater.planned}",
                reward=f"{reward:.4f}",
                skipped=self.updater.skipped,
            )
        if self.ended == REFUSED:
            self.updater.restore(self.good)
        elif self.tuning.settings.select == "best" and self.best.weights is not None:
            self.updater.restore(self.best.weights)
        elif self.updater.average is not None:
            self.updater.restore(self.updater.result)
        self.updater.refresh()
        self._warn_of_no_gradient()
        return pd.DataFrame(self.record, columns=["update", "name", "value"])

    def _warn_of_no_gradient(self) -> None:
        """A method whose samples do not depend on the weights would end as its base without a word."""
        norms = [value for _, name, value in self.record if name == "grad_norm"]
        if still := sum(norm == 0.0 for norm in norms):
            LOG.warning(
                "%s: the gradient was exactly zero in %d of %d updates, which learned nothing%s",
                self.tuning.label, still, len(norms),
                "; the result is the base model" if still == len(norms) else "",
            )  # fmt: skip

    def _trajectories(self) -> Iterator[Scored]:
        updater, settings = self.updater, self.tuning.settings
        clock = CheckpointClock(settings.checkpoint_every, settings.checkpoint_minutes)
        while not self._over():
            before, skipped = updater.weights(), updater.skipped
            yield self._trajectory_that_fits(self.trajectory)
            updater.refresh()
            if updater.skipped == skipped:
                self.good = before
            self.trajectory += 1
            if not self._over() and clock.due(self.trajectory):
                self.checkpoint.save(self.state())

    def _trajectory_that_fits(self, k: int) -> Scored:
        """Trajectory k. Where memory runs out it is begun again with the same weights and draws, in slices of half the
        rows; not among several processes, which would wait for each other."""
        settings = self.tuning.settings
        less = smaller(settings) if settings.memory == "auto" and world_size() == 1 else None
        if less is None:
            return self._trajectory(k)
        before = {**self.state(), "updater": copied(self.updater.state())}
        try:
            return self._trajectory(k)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        # outside the handler: the error's traceback holds the graph
        LOG.warning(
            "%s: out of memory in trajectory %d, which begins again: %s form, %d slices",
            self.tuning.label, k, less.activations, less.slices,
        )  # fmt: skip
        for parameter in self.tuning.trained:
            parameter.grad = None
        release()
        self.restore(before)
        self.ended = ""
        self.tuning = replace(self.tuning, settings=less)
        return self._trajectory_that_fits(k)

    def _trajectory(self, k: int) -> Scored:
        """Every update of trajectory k; the last one's score."""
        tuning, slices = self.tuning, self.tuning.settings.slices
        batch = tuning.batch(k)
        if self.flops is None:
            self.flops = self._count_flops(batch)
        parts = pieces(len(batch), slices * world_size(), tuning.method.group)
        parts = parts[rank() * slices :][:slices]
        step_generator(tuning.seed, k, tuning.device)
        self.meter.share = 1 / slices
        self.meter.start()
        batches = [batch.rows(part) for part in parts]
        objectives = [tuning.objective(part, rows=len(batch)) for part in batches]
        walks = [self._walk(part, k, len(part) / len(batch)) for part in batches]
        memory: PeakMemory | None = None
        if k < 3 or k % tuning.settings.probe_every == 0:
            memory = PeakMemory(tuning.device, tuning.weights)
        with memory or contextlib.nullcontext():
            last = self._updates([*map(tuning.method.samples, walks)], objectives, k, memory)
        self.meter.stop()
        return last

    def _updates(
        self,
        streams: Sequence[Iterator[Lesson]],
        objectives: Sequence[Objective],
        k: int,
        memory: PeakMemory | None,
    ) -> Scored:
        """All slices, sample by sample, to their ends or to the end of the budget. One slice's graph is gone before
        the next one's exists."""
        last = Scored()
        score: Score | None = None
        while True:
            for stream, objective in zip(streams, objectives, strict=True):
                lesson = next(stream, None)
                if lesson is None:
                    return last
                learnt = self._learn(lesson, objective)
                score = learnt if score is None else score + learnt
                update, step = lesson.update, lesson.step
                del lesson
            if update and score is not None:
                last, score = self._update(score, step, k, memory), None
                if self._over():
                    break
        return last

    def _learn(self, lesson: Lesson, objective: Objective) -> Score:
        """The score of one lesson (or its own loss), its gradient added to the parameters'; whether it is finite, the
        update asks."""
        before = objective.scorings
        score = lesson.learn(objective)
        self.meter.scorings += self.meter.share * (objective.scorings - before)
        itself = isinstance(lesson, Sample) and not lesson.scored
        if self.tuning.learn_from_data(lesson, objective, self.updater.updates) or itself:
            call = self.meter.share * self.tuning.sampler.conditional().cost
            self.meter.forwards += call
            self.meter.backwards += call
        return replace(score, gradient=None)

    def _update(self, score: Score, step: int, k: int, memory: PeakMemory | None) -> Scored:
        updater, settings = self.updater, self.tuning.settings
        sum_gradients(self.tuning.trained)
        scored = score.read(self.tuning.device)
        norm = updater.step(finite=scored.finite)
        numbers = {
            "trajectory": k,
            "step": step,
            "loss": scored.loss,
            "grad_norm": norm,
            "lr": updater.rate,
            "skipped": updater.skipped,
        }
        numbers |= {_reward_name(name): value for name, value in scored.rewards.items()}
        if memory is not None:
            numbers["peak_bytes"] = memory.take()
        self._log(numbers)
        every = settings.validate_every
        if self.tuning.validation is not None and every and updater.updates % every == 0:
            self.meter.stop()
            self._validate()
            self.meter.start()
            if memory is not None:
                memory.take()
        if updater.streak >= settings.max_skipped:
            self.ended = REFUSED
        return scored

    # its parts

    def _over(self) -> bool:
        return bool(self.ended) or self._progress() >= 1.0

    def _progress(self) -> float:
        meter = self.meter
        return self.tuning.settings.budget.spent(
            self.updater.updates, self.trajectory, meter.denoiser_calls, meter.seconds
        )

    def _planned_trajectories(self) -> int:
        budget = self.tuning.settings.budget
        if budget.kind == "trajectories":
            return int(budget.amount)
        return -(-self.updater.planned // self.tuning.method.updates_per_trajectory())

    def _walk(self, batch: PromptBatch, k: int, share: float) -> Walk:
        """share: of the whole batch, which the KL averages over."""
        kl = self.kl and replace(self.kl, weight=self.kl.weight * share)
        return self.tuning.walk(batch, k, min(self._progress(), 1.0), kl)

    def _count_flops(self, batch: PromptBatch) -> Flops:
        """Of this process's rows of the first batch, counted on one slice: the network's call, its backward, and one
        scoring."""
        sampler, slices = self.tuning.sampler, self.tuning.settings.slices
        part = batch.rows(pieces(len(batch), slices * world_size(), self.tuning.method.group)[0])
        scoring, x = self.tuning.scoring(self.tuning.objective(part)), part.noise().start
        flops = count_flops(
            lambda: sampler.output(0, x, part.condition), lambda: scoring(x), self.meter
        )
        for parameter in self.tuning.trained:
            parameter.grad = None
        return Flops(*(slices * count for count in astuple(flops)))

    def _validate(self) -> None:
        """Records the validation of the weights that the run would end with now, keeps the best, and ends a run that
        stopped improving."""
        tuning, settings, updater = self.tuning, self.tuning.settings, self.updater
        assert tuning.validation is not None
        elsewhere = updater.chain or updater.average is not None
        result_in_place = swapped(tuning.trained, updater.result) if elsewhere else None
        with result_in_place or contextlib.nullcontext():
            numbers = tuning.validation()
        if updater.updates == 0:
            self._log({"trajectory": 0})
        self._note({f"val/{name}": value for name, value in numbers.items()})
        score = selection_score(settings.select_by, numbers, self._first_validation())
        ceiling = settings.reward_ceiling
        if ceiling and numbers["reward"] >= ceiling * numbers[RECORDED]:
            self.ended = "the reward of the recorded motions is reached"
        if self.best.offer(score, updater.updates, updater.result):
            self.validations_since_best = 0
            return
        self.validations_since_best += 1
        if settings.patience and self.validations_since_best >= settings.patience:
            self.ended = "no improvement on validation"

    def _first_validation(self) -> dict[str, float]:
        """Numbers of the validation before the first update, by name."""
        rows = [(name, value) for update, name, value in self.record if update == 0]
        return {name.removeprefix("val/"): v for name, v in rows if name.startswith("val/")}

    def _log(self, values: dict[str, float]) -> None:
        counts = self.meter.counts()
        if self.flops is not None:
            counts["flops"] = self.flops.of(counts)
        elif self.updater.updates == 0:
            counts["flops"] = 0.0
        self._note(values | counts)

    def _note(self, values: dict[str, float]) -> None:
        """Numbers of the present update, into the record and to a tracker."""
        update = self.updater.updates
        self.record += [(update, name, float(value)) for name, value in values.items()]
        track(update, values)

    # resuming

    def _identity(self) -> list[object]:
        """What a checkpoint must have in common with the run that goes on from it."""
        tuning, method = self.tuning, self.tuning.method
        shapes = [tuple(parameter.shape) for parameter in tuning.trained]
        return [asdict(tuning.settings), type(method).__name__, asdict(method), tuning.seed, shapes]

    def state(self) -> dict[str, Any]:
        """All that the next trajectory depends on; tensors are the run's own, not copies."""
        return {
            "trajectory": self.trajectory,
            "updater": self.updater.state(),
            "meter": asdict(self.meter),
            "flops": asdict(self.flops) if self.flops else None,
            "record": list(self.record),
            "best": dict(vars(self.best)),
            "good": self.good,
            "validations_since_best": self.validations_since_best,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.updater.load(state["updater"])
        for name, value in state["meter"].items():
            setattr(self.meter, name, value)
        self.trajectory = state["trajectory"]
        self.validations_since_best = state["validations_since_best"]
        self.record = [tuple(row) for row in state["record"]]
        self.best, self.good = BestWeights(**state["best"]), state["good"]
        self.flops = Flops(**state["flops"]) if state["flops"] else None

    def resume(self) -> bool:
        """Reads the checkpoint back; False if there is none, or one of other settings."""
        state = self.checkpoint.load(self.tuning.device)
        if state is not None:
            self.restore(state)
        return state is not None


def _reward_name(name: str) -> str:
    return "reward" if name == "total" else f"reward/{name}"
