"""The processor that this is read on, as a card: its rates measured in a tenth of a second."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch

from motionrft.counting.card import GIB, Card
from motionrft.counting.costs import Work

ROUNDS = 10


@dataclass(frozen=True)
class Processor(Card):
    """One core. launch: seconds that an operation takes however small; nothing of it runs beside the computing."""

    kind: ClassVar[str] = "CPU"
    begin: ClassVar[float] = 5.0  # measured of the toy run's jobs: 3 to 6

    launch: float

    def seconds(self, work: Work, precision: str = "fp32") -> float:
        del precision
        moved = work.traffic / self.bandwidth
        return work.flops / self.fp32 + moved + work.kernels * self.launch


def processor_here() -> Processor:
    """One core of this machine: products of 256 x 256 numbers, additions of a million, and of sixteen with their way back."""
    square, many = torch.randn(256, 256), torch.randn(2**20)
    few = torch.randn(4, 4, requires_grad=True)

    def small() -> None:
        for _ in range(100):
            (few + few).sum().backward()

    rate = 2 * 256**3 / _least(lambda: square @ square)
    bandwidth = 3 * many.nbytes / _least(lambda: many + many)
    # an addition, a sum, what begins the way back, its two steps and what adds up gradients
    launch = _least(small) / 600
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    return Processor("one core of this machine", memory, rate, rate, rate, bandwidth, launch)


def _least(work: Callable[[], object]) -> float:
    """Least processor seconds of a few rounds, by one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    spent = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        work()
        spent.append(time.process_time() - begin)
    torch.set_num_threads(threads)
    return max(min(spent), 1e-7)
