"""`finetune.memory: auto`: which slices, micro-batch and activation form a run takes, from counted bytes.

Two small batches of the cell's longest motions run one live denoising step and one scoring. Bytes are a straight line
in the rows, so that these two give the need of any batch.
The choice is `memory_choice`'s. On the meta device (`shapes.py`) the same is counted beforehand, without a card.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import asdict, dataclass, replace

import torch
import torch.nn.functional as F

from motionrft.counting.costs import Line, Work, WorkLine
from motionrft.finetune.batch import PromptBatch
from motionrft.finetune.memory_choice import GIB, Counted, MemoryPlan, choose, spare_bytes
from motionrft.finetune.memory_meter import PeakMemory, SavedBytes
from motionrft.finetune.setup import FineTuning
from motionrft.training.distributed import world_size

LOG = logging.getLogger(__name__)


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


def free_bytes(tuning: FineTuning) -> int | None:
    """`memory_gib` less what stays, or what the card has left; None on a CPU without `memory_gib`."""
    settings, device = tuning.settings, tuning.device
    trained = sum(parameter.nbytes for parameter in tuning.trained)
    reference = tuning.method.needs_reference
    if settings.memory_gib:
        weights = sum(tensor.nbytes for tensor in tuning.weights)
        memory = settings.memory_gib * GIB
        return spare_bytes(settings, memory, weights, trained, tuning.method.chain, reference)
    if device.type != "cuda":
        return None
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    free = torch.cuda.mem_get_info(device)[0] + unused
    return spare_bytes(settings, free, 0, trained, tuning.method.chain, reference)


def count(tuning: FineTuning) -> Counted:
    """Two small batches of the longest motions, measured by the device's own means (`PeakMemory`)."""
    return measure(tuning, min(4, tuning.settings.batch_size)).bytes


@dataclass(frozen=True)
class Measured:
    """Of one cell, lines in the rows.

    bytes          what it holds
    live, scoring  work of one live step, forward and backward, and of one scoring; known on the meta device only
    """

    bytes: Counted
    live: WorkLine
    scoring: WorkLine


def measure(tuning: FineTuning, many: int) -> Measured:
    """From batches of `many` rows and of half as many."""
    few = max(1, many // 2)
    counts = asdict(tuning.sampler.meter)
    batch = tuning.batch(0)
    at_few, at_many = (_measured(tuning, longest(batch, tuning, rows)) for rows in (few, many))
    for name, value in counts.items():
        setattr(tuning.sampler.meter, name, value)
    for parameter in tuning.trained:
        parameter.grad = None
    held = Line.through(few, at_few.held, many, at_many.held)
    # of few rows the gradients of the weights are the peak, of many what the step holds
    step = Line.through(few, at_few.step, many, at_many.step, least=held.row)
    score, x = (
        Line.through(few, getattr(at_few, name), many, getattr(at_many, name))
        for name in ("score", "x")
    )
    live, scoring = (
        WorkLine.through(few, getattr(at_few, name), many, getattr(at_many, name))
        for name in ("live", "scoring")
    )
    method = tuning.method
    asked = method.asked(tuning.sampler.guidance != 1.0)
    kept = 0 if asked is None else asked.states
    return Measured(Counted(held, step, score, x, method.most_live(), kept), live, scoring)


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
        frames=[frames] * rows,
        shape=backbone.sample_shape(frames),
    )


@dataclass(frozen=True)
class _Batch:
    """Bytes and work of one batch."""

    held: int
    step: int
    score: int
    x: int
    live: Work
    scoring: Work


def _measured(tuning: FineTuning, batch: PromptBatch) -> _Batch:
    """Of one batch. x_T stands for every x_i: bytes do not depend on values."""
    for parameter in tuning.trained:
        parameter.grad = torch.zeros_like(parameter)  # counted with the optimiser's
    x = batch.noise().start
    read = x.clone().requires_grad_()
    card = None if tuning.device.type == "cpu" else PeakMemory(tuning.device)
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
    live = Work() if card is None else card.work
    return _Batch(held, max(held, step), score, x.nbytes, live, memory.work)
