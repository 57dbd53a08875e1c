"""Which slices, micro-batch and activation form a run takes, from counted bytes. Free of torch.

    plain       (L - 1) S(rows) + max(step(rows), S(rows) + score(micro))       L live steps, S held by one of them
    recomputed  L x(rows) + max(step(rows), score(micro))                       checkpoint and exact

and in either form the states x(rows) that the method keeps of a whole batch, whose slices advance together.

Slices sum their gradients and micro-batches are rows of one mean, so that every choice makes the same update.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from motionrft.counting.costs import Line
from motionrft.finetune.settings import Activations, Settings

GIB = 2**30
SHARE = 0.9  # of the free memory that a plan may take: allocators round, kernels have workspaces
ROWS = 16  # a plain graph of fewer rows leaves a card idle: the step is computed again instead


@dataclass(frozen=True)
class Counted:
    """Bytes that one cell takes beside its weights.

    held   of the graph that one live step leaves
    step   at the peak of one live step, forward and backward
    score  at the peak of decoding and scoring
    x      of the state of the trajectory
    live   steps whose graphs exist together, at most
    kept   states of the trajectory that the method keeps in either form
    """

    held: Line
    step: Line
    score: Line
    x: Line
    live: int
    kept: int = 0

    def needed(
        self, activations: Activations, rows: int, micro_batch: int, batch: int | None = None
    ) -> int:
        """rows: of a slice; micro_batch: rows decoded and scored at once; batch: rows of all slices (None: one)."""
        step, score = self.step(rows), self.score(micro_batch)
        kept = self.kept * self.x(batch or rows)
        if activations == "plain":
            held = self.held(rows)
            return round(kept + (self.live - 1) * held + max(step, held + score))
        return round(kept + self.live * self.x(rows) + max(step, score))


@dataclass(frozen=True)
class MemoryPlan:
    """What was picked, the bytes that it and the whole batch in plain form need, and those that were free."""

    activations: Activations
    slices: int
    micro_batch: int
    needed_bytes: int
    plain_bytes: int
    free_bytes: int

    @property
    def fits(self) -> bool:
        return self.needed_bytes <= self.free_bytes

    def applied(self, settings: Settings) -> Settings:
        return replace(
            settings,
            activations=self.activations,
            slices=self.slices,
            micro_batch=self.micro_batch,
        )

    def record(self) -> dict[str, object]:
        return asdict(self)


def spare_bytes(
    settings: Settings,
    memory: float,
    weights: int,
    trained: int,
    chain: bool,
    reference: bool = False,
) -> int:
    """What a plan may take of `memory` bytes beside the weights, their gradients and what training keeps of them."""
    return round(SHARE * (memory - weights - copies_kept(settings, chain, reference) * trained))


def copies_kept(settings: Settings, chain: bool, reference: bool = False) -> int:
    """How often a run holds the trained weights beside the model: gradient, two moments, the weights before the last
    trajectory; those of the best validation, the average, the policy, the pre-trained model (`reference`, KL)."""
    kept = 4 + (settings.select == "best") + bool(settings.optimisation.ema) + chain
    return kept + (bool(settings.kl) or reference)


def choose(counted: Counted, settings: Settings, free: int, processes: int = 1) -> MemoryPlan:
    """The first form that fits `free` bytes, from what the settings say to what takes least.

    First the scoring is split, then the batch; a plain graph of fewer than `ROWS` rows is given up for the recomputed
    form: exact, or checkpoint where dropout is on.
    """
    batch = -(-settings.batch_size // processes)
    plain = counted.needed("plain", batch, _rows(settings, 1))
    plan = None
    for activations, slices, micro_batch in _forms(settings, processes):
        rows = -(-settings.batch_size // (slices * processes))
        needed = counted.needed(activations, rows, micro_batch, batch)
        plan = MemoryPlan(activations, slices, micro_batch, needed, plain, free)
        if plan.fits:
            break
    assert plan is not None
    return plan


def _rows(settings: Settings, slices: int) -> int:
    """Rows scored at once by a slice, as the settings say."""
    rows = settings.batch_size // slices
    return min(settings.micro_batch or rows, rows)


def _forms(settings: Settings, processes: int) -> Iterator[tuple[Activations, int, int]]:
    for activations in _activations(settings):
        for slices in divisors(settings.batch_size, settings.slices):
            rows = -(-settings.batch_size // (slices * processes))
            starved = rows < ROWS and slices > settings.slices
            if activations == "plain" and starved:
                break
            micro_batch = min(settings.micro_batch or rows, rows)
            while True:
                yield activations, slices, micro_batch
                if micro_batch <= max(1, min(rows, ROWS)):
                    break
                micro_batch = -(-micro_batch // 2)


def _activations(settings: Settings) -> tuple[Activations, ...]:
    if settings.activations != "plain":
        return (settings.activations,)
    return ("plain", "checkpoint" if settings.train_dropout else "exact")


def divisors(batch: int, least: int) -> list[int]:
    """Numbers of equal slices of a batch, from `least` on."""
    return [slices for slices in range(least, batch + 1) if batch % slices == 0]


def smaller(settings: Settings) -> Settings | None:
    """The settings with slices of half the rows or fewer; where a slice is one row, with steps computed again; None
    where they are already."""
    for slices in divisors(settings.batch_size, 2 * settings.slices):
        return replace(settings, slices=slices)
    *_, recomputed = _activations(settings)
    return None if recomputed == settings.activations else replace(settings, activations=recomputed)
