"""The next batch is made while this one is computed with."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import torch

Item = TypeVar("Item")


class Prefetched(Generic[Item]):
    """`make(k)`, a function of k alone, where `make(k + 1)` is begun by a worker as soon as k is taken.

    Only for a GPU (`worker`): on a CPU the worker would take what it saves from the work itself. An error of the
    worker is raised by the call that wants its item.
    """

    def __init__(self, make: Callable[[int], Item], device: torch.device | str):
        self.make, self.worker = make, torch.device(device).type == "cuda"
        self.pool: ThreadPoolExecutor | None = None
        self.ahead: tuple[int, Future[Item]] | None = None

    def __call__(self, k: int) -> Item:
        if not self.worker:
            return self.make(k)
        if self.pool is None:
            self.pool = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        begun, self.ahead = self.ahead, None
        item = begun[1].result() if begun is not None and begun[0] == k else self.make(k)
        self.ahead = k + 1, self.pool.submit(self.make, k + 1)
        return item
