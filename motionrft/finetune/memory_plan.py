"""`finetune.memory: auto`: which slices, micro-batch and activation form a run takes, from counted bytes.

Two small batches of the cell's longest motions run one live denoising step and one scoring. Bytes are a straight line
in the rows, so that these two give the need of any batch:

    plain       (L - 1) S(rows) + max(step(rows), S(rows) + score(micro))       L live steps, S held by one of them
    recomputed  L x(rows) + max(step(rows), score(micro))                       checkpoint and exact

Slices sum their gradients and micro-batches are rows of one mean, so that every choice makes the same update.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import torch
import torch.nn.functional as F

from motionrft.finetune.batch import PromptBatch
from motionrft.finetune.memory_meter import PeakMemory, SavedBytes
from motionrft.finetune.settings import Activations, Settings
from motionrft.finetune.setup import FineTuning
from motionrft.training.distributed import world_size

LOG = logging.getLogger(__name__)
GIB = 2**30
SHARE = 0.9  # of the free memory that a plan may take: allocators round, kernels have workspaces
ROWS = 16  # a plain graph of fewer rows leaves a card idle: the step is computed again instead


@dataclass(frozen=True)
class Line:
    """Bytes of a number of rows."""

    fixed: float
    row: float

    @classmethod
    def through(cls, few: int, at_few: int, many: int, at_many: int) -> Line:
        if few == many:
            return cls(0.0, at_few / few)
        row = max(0.0, (at_many - at_few) / (many - few))
        return cls(max(0.0, at_few - few * row), row)

    def __call__(self, rows: int) -> float:
        return self.fixed + rows * self.row


@dataclass(frozen=True)
class Counted:
    """Bytes that one cell takes beside its weights.

    held   of the graph that one live step leaves
    step   at the peak of one live step, forward and backward
    score  at the peak of decoding and scoring
    x      of the state of the trajectory
    live   steps whose graphs exist together, at most
    """

    held: Line
    step: Line
    score: Line
    x: Line
    live: int

    def needed(self, activations: Activations, rows: int, micro_batch: int) -> int:
        """rows: of a slice; micro_batch: rows decoded and scored at once."""
        step, score = self.step(rows), self.score(micro_batch)
        if activations == "plain":
            held = self.held(rows)
            return round((self.live - 1) * held + max(step, held + score))
        return round(self.live * self.x(rows) + max(step, score))


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


def memory_plan(tuning: FineTuning) -> MemoryPlan | None:
    """None where the settings stand as they are: `memory: fixed`, or no limit is known (a CPU without `memory_gib`)."""
    free = None if tuning.settings.memory == "fixed" else free_bytes(tuning)
    if free is None:
        return None
    plan = choose(count(tuning), tuning.settings, free, world_size())
    if not plan.fits:
        LOG.warning(
            "%s: needs %.1f GiB even in its smallest form, %.1f are free",
            tuning.label, plan.needed_bytes / GIB, free / GIB,
        )  # fmt: skip
    LOG.info(
        "%s: %s form, %d slices, micro-batches of %d: %.1f GiB; plain %.1f; free %.1f",
        tuning.label, plan.activations, plan.slices, plan.micro_batch,
        plan.needed_bytes / GIB, plan.plain_bytes / GIB, free / GIB,
    )  # fmt: skip
    return plan


def choose(counted: Counted, settings: Settings, free: int, processes: int = 1) -> MemoryPlan:
    """The first form that fits `free` bytes, from what the settings say to what takes least.

    First the scoring is split, then the batch; a plain graph of fewer than `ROWS` rows is given up for the recomputed
    form: exact, or checkpoint where dropout is on.
    """
    plain = counted.needed("plain", -(-settings.batch_size // processes), _rows(settings, 1))
    plan = None
    for activations, slices, micro_batch in _forms(settings, processes):
        rows = -(-settings.batch_size // (slices * processes))
        needed = counted.needed(activations, rows, micro_batch)
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


def free_bytes(tuning: FineTuning) -> int | None:
    """`memory_gib` less what stays, or what the card has left; None on a CPU without `memory_gib`."""
    settings, device = tuning.settings, tuning.device
    trained = sum(parameter.nbytes for parameter in tuning.trained)
    # gradient, two moments, the weights before the last trajectory; those of the best validation, the average, the policy,
    # the pre-trained model
    copies = 4 + (settings.select == "best") + bool(settings.optimisation.ema) + tuning.method.chain
    copies += bool(settings.kl) or tuning.method.needs_reference
    if settings.memory_gib:
        weights = sum(tensor.nbytes for tensor in tuning.weights)
        return round(SHARE * (settings.memory_gib * GIB - weights - copies * trained))
    if device.type != "cuda":
        return None
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return round(SHARE * (torch.cuda.mem_get_info(device)[0] + unused - copies * trained))


def count(tuning: FineTuning) -> Counted:
    """Two small batches of the longest motions, measured by the device's own means (`PeakMemory`)."""
    many = min(4, tuning.settings.batch_size)
    few = max(1, many // 2)
    counts = asdict(tuning.sampler.meter)
    batch = tuning.batch(0)
    at_few, at_many = (_measured(tuning, longest(batch, tuning, rows)) for rows in (few, many))
    for name, value in counts.items():
        setattr(tuning.sampler.meter, name, value)
    for parameter in tuning.trained:
        parameter.grad = None
    held, step, score, x = (
        Line.through(few, a, many, b) for a, b in zip(at_few, at_many, strict=True)
    )
    return Counted(held, step, score, x, tuning.method.most_live())


def longest(batch: PromptBatch, tuning: FineTuning, rows: int) -> PromptBatch:
    """The first prompts of a batch, as motions of the backbone's greatest length."""
    few, backbone = batch.rows(slice(0, rows)), tuning.backbone
    frames, references = backbone.max_frames, few.references
    if references is not None:
        references = F.pad(references, (0, 0, 0, frames - references.shape[1]))
    lengths = torch.full_like(few.lengths, frames)
    return replace(
        few,
        condition=replace(few.condition, lengths=lengths),
        references=references,
        shape=backbone.sample_shape(frames),
    )


def _measured(tuning: FineTuning, batch: PromptBatch) -> tuple[int, int, int, int]:
    """(held, step, score, x) of one batch. x_T stands for every x_i: bytes do not depend on values."""
    for parameter in tuning.trained:
        parameter.grad = torch.zeros_like(parameter)  # counted with the optimiser's
    x = batch.noise().start
    read = x.clone().requires_grad_()
    on_card = tuning.device.type == "cuda"
    card = PeakMemory(tuning.device) if on_card else None
    with SavedBytes(tuning.weights) as saved, card or contextlib.nullcontext(), torch.enable_grad():
        output = tuning.sampler.output(0, read, batch.condition)
        held = saved.held
        output.backward(torch.ones_like(output))
        step = card.take() if card is not None else saved.peak
    del output, read
    whole = replace(tuning, settings=replace(tuning.settings, micro_batch=0))
    scoring = whole.scoring(whole.objective(batch))
    with PeakMemory(tuning.device, tuning.weights) as memory:
        scoring(x)
        score = memory.take()
    return held, max(held, step), score, x.nbytes
