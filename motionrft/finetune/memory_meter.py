"""What a backward pass holds: exact bytes of saved tensors on the CPU, the allocator's peak on a GPU."""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from motionrft.counting.costs import Work
from motionrft.counting.operations import Operations, counted

# the second: cuBLAS and cuDNN have errors of their own
SHORTAGES = ("out of memory", "ALLOC_FAILED")


# what a device's peak is
KINDS = {"cuda": "cuda_peak", "meta": "counted"}


def out_of_memory(error: BaseException) -> bool:
    """Whether a card had too little memory left."""
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(text in str(error) for text in SHORTAGES)
    )


def release() -> None:
    """Gives back what failed or finished work left on the card."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


class _Held:
    """A saved tensor, kept by the graph; its bytes are given back when the graph lets go of it."""

    __slots__ = ("__weakref__", "tensor")

    def __init__(self, tensor: Tensor):
        self.tensor = tensor


class SavedBytes:
    """Counts, while active, the bytes that autograd graphs hold, each storage once, weights left out.

    `peak` is the most held at any moment since `reset`, `held` what is held now. Exact and repeatable:
    unlike an allocator's numbers it depends on the computation only.
    """

    def __init__(self, weights: Sequence[Tensor] = ()):
        self._weights = {weight.untyped_storage()._cdata for weight in weights}
        self._counts: dict[int, int] = {}
        self.held = self.peak = 0
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, self._unpack)

    def __enter__(self) -> SavedBytes:
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._hooks.__exit__(*error)

    def reset(self) -> int:
        """The peak so far; counting of the next peak starts from what is held now."""
        peak, self.peak = self.peak, self.held
        return peak

    def _pack(self, tensor: Tensor) -> Any:
        held = _Held(tensor)
        storage = tensor.untyped_storage()
        # the storage object's own address: on the meta device all data lies at 0
        address, size = storage._cdata, storage.nbytes()
        if address in self._weights or size == 0:
            return held
        count = self._counts.get(address, 0)
        self._counts[address] = count + 1
        if count == 0:
            self.held += size
            self.peak = max(self.peak, self.held)
        weakref.finalize(held, self._release, address, size).atexit = False
        return held

    def _release(self, address: int, size: int) -> None:
        self._counts[address] -= 1
        if self._counts[address] == 0:
            del self._counts[address]
            self.held -= size

    @staticmethod
    def _unpack(held: _Held) -> Tensor:
        return held.tensor


class PeakMemory:
    """Peak bytes of a piece of work, by the device's own means: `kind` says which. work: what was taken with the last
    peak, where it is counted.

    On a GPU the allocator's peak above what was allocated at the start; on the meta device what a GPU's allocator
    would hold; on the CPU saved tensors.
    """

    def __init__(self, device: torch.device, weights: Sequence[Tensor] = ()):
        self.device = device
        self.kind = KINDS.get(device.type, "saved_tensors")
        self._saved = SavedBytes(weights) if self.kind == "saved_tensors" else None
        self._stack = contextlib.ExitStack()
        self.work = Work()
        self._operations: Operations | None = None

    def __enter__(self) -> PeakMemory:
        if self._saved is not None:
            self._stack.enter_context(self._saved)
        elif self.kind == "counted":
            self._operations = self._stack.enter_context(counted())
        else:
            torch.cuda.reset_peak_memory_stats(self.device)
            self._before = torch.cuda.memory_allocated(self.device)
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()

    def take(self) -> int:
        """The peak since the last `take`."""
        if self._saved is not None:
            return self._saved.reset()
        if self._operations is not None:
            self.work, peak = self._operations.take()
            return peak
        peak = torch.cuda.max_memory_allocated(self.device) - self._before
        torch.cuda.reset_peak_memory_stats(self.device)
        return peak
