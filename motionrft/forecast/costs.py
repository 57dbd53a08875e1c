"""What single jobs of a run take on a card: from counted steps, the settings and the jobs' numbers. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from motionrft.configuration.comparisons import replications
from motionrft.configuration.methods import trains
from motionrft.counting.card import GIB, Card
from motionrft.finetune.memory_choice import (
    Counted,
    MemoryPlan,
    choose,
    copies_kept,
    spare_bytes,
)
from motionrft.finetune.settings import Settings, cell_settings
from motionrft.forecast import table as keys
from motionrft.forecast.table import BackboneCounts, Calls, StageCounts, Table

CONTEXT = 0.8 * GIB  # what CUDA and the libraries' kernels take of a card
# minutes asked of a cluster: so many times the counted ones, and what a job needs besides; checkpoints carry longer ones
MARGIN, START, LONGEST = 3.0, 30, 2880
# of a scoring: its value without the way back, which goes through frozen weights and so costs as much again
VALUE = 0.5
# motions of the official test splits
TEST_CLIPS = {"humanml3d": 4384, "kit": 830}


@dataclass(frozen=True)
class JobCost:
    """Of one job: seconds on the card, and bytes of its memory at the peak."""

    seconds: float
    memory: float


@dataclass(frozen=True)
class CellCost(JobCost):
    """Of one fine-tuning. plan: the form that `finetune.memory: auto` takes; plain: bytes of the whole batch in plain
    form, everything included; `memory` is what the chosen form takes."""

    plan: MemoryPlan
    plain: float

    @property
    def fits_plain(self) -> bool:
        return self.plan.plain_bytes <= self.plan.free_bytes


@dataclass(frozen=True)
class Forecast:
    """Costs of a resolved run on a card."""

    run: Mapping[str, Any]
    table: Table
    card: Card

    @cached_property
    def cells(self) -> dict[tuple[str, str], CellCost]:
        """By backbone and method; cells that train nothing, or whose settings were not counted, are left out."""
        names = [(cell["backbone"], cell["method"]) for cell in self.run["matrix"]]
        costs = {name: self.cell(*name) for name in names if trains(self.run["methods"][name[1]])}
        return {name: cost for name, cost in costs.items() if cost is not None}

    def cell(self, backbone: str, method: str) -> CellCost | None:
        """One fine-tuning, its validations included."""
        run = self.run
        settings = cell_settings(dict(run), backbone, method)
        network = self.table.backbone(keys.backbone_key(run, backbone, settings))
        score = self.table.score(keys.score_key(run, backbone, method))
        calls = self.table.calls(keys.calls_key(run, backbone, method))
        if network is None or score is None or calls is None:
            return None
        chain = run["methods"][method].get("options", {}).get("variant") == "chain"
        counted = Counted(
            network.held, network.step, score.memory, network.x, calls.most_live, calls.kept
        )
        weights = network.weights + score.weights
        memory = self.card.memory * GIB - CONTEXT
        reference = calls.reference
        spare = spare_bytes(settings, memory, weights, network.trained, chain, reference)
        plan = choose(counted, settings, spare) if settings.memory == "auto" else None
        plan = plan or _as_set(counted, settings, spare)
        kept = CONTEXT + weights + copies_kept(settings, chain, reference) * network.trained
        forward, live, scoring = (
            self._seconds(line, precision)
            for line, precision in (
                (network.forward, settings.denoiser_precision),
                (network.live, settings.denoiser_precision),
                (score.work, settings.precision),
            )
        )
        batch, rows = settings.batch_size, settings.batch_size / plan.slices
        again = calls.live if plan.activations != "plain" else 0.0
        trajectory = plan.slices * (
            (calls.forwards - calls.live + again) * forward(rows)
            + calls.live * live(rows)
            + scorings(calls) * rows / plan.micro_batch * scoring(plan.micro_batch)
        )
        seconds = trajectories(settings, calls) * trajectory
        if settings.budget.kind == "seconds":
            seconds = settings.budget.amount
        if settings.validate_every:
            updates = trajectories(settings, calls) * calls.updates
            batches = settings.validate_prompts / batch
            steps = run["backbones"][backbone]["sampler"]["steps"]
            seconds += (updates / settings.validate_every + 1) * batches * steps * forward(batch)
        return CellCost(seconds, plan.needed_bytes + kept, plan, plan.plain_bytes + kept)

    def _seconds(self, line: Any, precision: str) -> Any:
        kind = "bf16" if precision == "bf16" else "tf32"
        return lambda rows: self.card.seconds(line(rows), kind)

    def stage(self, counts: StageCounts | None, train: Mapping[str, Any]) -> JobCost | None:
        """A training stage: all its updates."""
        if counts is None:
            return None
        kind = "bf16" if train.get("precision") == "bf16" else "tf32"
        one = self.card.seconds(counts.work, kind)
        return JobCost(train["steps"] * one, counts.memory + CONTEXT)

    def pretraining(self, backbone: str, stage: str) -> JobCost | None:
        counts = self.table.stage(keys.stage_key(self.run, backbone, stage))
        return self.stage(counts, self.run["backbones"][backbone]["pretrain"][stage])

    def reward_stage(self, stage: str) -> JobCost | None:
        counts = self.table.stage(keys.reward_stage_key(self.run, stage))
        return self.stage(counts, self.run["reward"]["stages"][stage]["train"])

    def evaluation(self, backbone: str, method: str = "base") -> JobCost | None:
        """Sampling of all replications, which is nearly all of an evaluation; None for a corpus of unknown size. Under a
        method that trains nothing the base model samples."""
        samples = self.table.samples(keys.samples_key(self.run))
        clips = clips_of_test(self.run["corpus"])
        network = self.network(backbone)
        if samples is None or clips is None or network is None:
            return None
        often = replications(self.run, backbone, method)
        motions = often * min(clips, samples.limit or clips) + samples.beside
        batch = self.run["evaluate"].get("batch_size", 128)
        steered = method in self.run["methods"] and not trains(self.run["methods"][method])
        drawn = self._sampled(backbone, method if steered else None, batch, network)
        return None if drawn is None else JobCost(motions / batch * drawn.seconds, drawn.memory)

    def _sampled(
        self, backbone: str, method: str | None, batch: int, network: BackboneCounts
    ) -> JobCost | None:
        """One batch of motions."""
        forward, memory = self.card.seconds(network.forward(batch)), network.weights + CONTEXT
        if method is None:
            steps = self.run["backbones"][backbone]["sampler"]["steps"]
            return JobCost(steps * forward, memory + network.passing(batch))
        score = self.table.score(keys.score_key(self.run, backbone, method))
        calls = self.table.calls(keys.calls_key(self.run, backbone, method))
        if score is None or calls is None:
            return None
        seconds = (calls.forwards - calls.live) * forward
        seconds += calls.live * self.card.seconds(network.live(batch))
        seconds += scorings(calls) * self.card.seconds(score.work(batch))
        # a way back goes through one step and its scoring
        held = network.held(batch) if calls.live else 0.0
        peak = max(network.passing(batch), network.step(batch) if calls.live else 0.0, held + score.memory(batch))  # fmt: skip
        return JobCost(seconds, memory + score.weights + peak)

    def minutes(
        self, rule: str, backbone: str | None, method: str | None, stage: str | None
    ) -> int | None:
        """What a cluster is asked for one job; None where it was not counted."""
        cost: JobCost | None = None
        if rule == "finetune" and backbone and method:
            cost = self.cell(backbone, method)
        elif rule == "pretrain" and backbone and stage:
            cost = self.pretraining(backbone, stage)
        elif rule == "train_reward" and stage in self.run["reward"]["stages"]:
            cost = self.reward_stage(str(stage))
        elif rule == "evaluate" and backbone in self.run["backbones"]:
            cost = self.evaluation(str(backbone), method or "base")
        elif rule == "evaluate":
            cost = JobCost(0.0, 0.0)  # recorded motions are not generated
        return None if cost is None else min(LONGEST, round(MARGIN * cost.seconds / 60) + START)

    def network(self, backbone: str) -> BackboneCounts | None:
        """The counts of a backbone in any of its cells."""
        for cell in self.run["matrix"]:
            if cell["backbone"] == backbone:
                settings = cell_settings(dict(self.run), backbone, cell["method"])
                return self.table.backbone(keys.backbone_key(self.run, backbone, settings))
        return None


def scorings(calls: Calls) -> float:
    """Of one trajectory, in scorings with a way back."""
    return calls.scorings * (VALUE if calls.by_value else 1.0)


def clips_of_test(corpus: Mapping[str, Any]) -> int | None:
    """Motions of the test split, where the run file says how many, or the corpus is a published one."""
    if corpus["kind"] == "toy":
        return round(float(corpus["clips"]) * float(corpus["splits"]["test"]))
    return TEST_CLIPS.get(corpus["kind"])


def trajectories(settings: Settings, calls: Calls) -> float:
    """Trajectories of a run's budget; none of one of seconds, which says itself what it takes."""
    budget = settings.budget
    per_trajectory = {
        "updates": calls.updates,
        "trajectories": 1.0,
        "denoiser_calls": calls.forwards + calls.live,
    }
    each = per_trajectory.get(budget.kind)
    return 0.0 if each is None else budget.amount / each


def _as_set(counted: Counted, settings: Settings, spare: int) -> MemoryPlan:
    """The form that the settings name."""
    rows = -(-settings.batch_size // settings.slices)
    micro_batch = min(settings.micro_batch or rows, rows)
    needed = counted.needed(settings.activations, rows, micro_batch)
    plain = counted.needed("plain", settings.batch_size, micro_batch)
    return MemoryPlan(settings.activations, settings.slices, micro_batch, needed, plain, spare)
