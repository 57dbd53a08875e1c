"""Floating-point operations, memory traffic, kernels and peak memory of what runs inside a block.

On the meta device nothing is computed, so that any batch of any network is counted in the time that Python takes to
call its operations. What is left on another device is an error there as it is on a card.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from motionrft.counting.attention import FusedAttention
from motionrft.counting.costs import Work
from motionrft.counting.flops import FORMULAS
from motionrft.counting.remembered import Remembered, tensors

ROUNDING = 512  # bytes: a card's allocator hands out multiples of it
# neither views nor kernels
NO_KERNEL = {
    torch.ops.aten._unsafe_view.default,
    torch.ops.aten.empty.memory_format,
    torch.ops.aten.empty_like.default,
    torch.ops.aten.new_empty.default,
    torch.ops.aten.empty_strided.default,
    torch.ops.aten.lift_fresh.default,
}


class Operations(TorchDispatchMode):
    """Counts, while active. `work` so far; `live` bytes of tensors made inside that still exist, `peak` the most."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        self._flops = self._traffic = self._kernels = 0
        self._storages: dict[int, weakref.ref[Any]] = {}

    @property
    def work(self) -> Work:
        return Work(self._flops, self._traffic, self._kernels)

    def take(self) -> tuple[Work, int]:
        """Work and peak since the last `take`."""
        taken = self.work, self.peak
        self._flops = self._traffic = self._kernels = 0
        self.peak = self.live
        return taken

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func.is_view:
            return func(*args, **kwargs)
        output, (flops, traffic, kernels) = _CALLS(func, args, kwargs)
        for tensor in tensors((output,)):
            if tensor.is_meta:
                self._allocated(tensor)
        self._flops += flops
        self._traffic += traffic
        self._kernels += kernels
        return output

    def _allocated(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._storages or size == 0:
            return
        size = -(-size // ROUNDING) * ROUNDING
        self._storages[key] = weakref.ref(storage, partial(self._freed, key, size))
        self.live += size
        self.peak = max(self.peak, self.live)

    def _freed(self, key: int, size: int, _: Any) -> None:
        del self._storages[key]
        self.live -= size


def _cost(
    func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], output: Any
) -> tuple[int, int, int]:
    """Flops, traffic and kernels of one call that is no view."""
    results = [tensor for tensor in tensors((output,)) if tensor.is_meta]
    if func in NO_KERNEL or not results:
        return 0, 0, 0
    formula = FORMULAS.get(func.overloadpacket)
    if formula is not None:
        return formula(*args, **kwargs, out_val=output), 0, 1
    return 0, sum(map(_moved, (*tensors(args), *results))), 1


def _moved(tensor: Tensor) -> int:
    """Bytes that a kernel reads or writes of a tensor; an expanded one is read once."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


_CALLS = Remembered(_cost)  # for the life of the process


@contextlib.contextmanager
def counted() -> Iterator[Operations]:
    """Counts what the block does, with the attention kernels of a card."""
    with FusedAttention(), Operations() as operations:
        yield operations
