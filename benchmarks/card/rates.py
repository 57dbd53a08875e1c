"""How fast the card multiplies matrices: at 4096^3, and at the very shapes a network asks for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

PRECISIONS = ("fp32", "tf32", "bf16")
LARGEST = 8  # shapes of a network that are timed: those with the most operations
PRODUCTS = {
    torch.ops.aten.mm.default: (0, 1),
    torch.ops.aten.addmm.default: (1, 2),
    torch.ops.aten.bmm.default: (0, 1),
    torch.ops.aten.baddbmm.default: (1, 2),
}


def seconds_of(work: Callable[[], object], device: torch.device, repeats: int = 5) -> float:
    """Median seconds of one call, after two that do not count; the device has finished before and after each."""
    times = []
    for _ in range(2 + repeats):
        finish(device)
        began = time.perf_counter()
        work()
        finish(device)
        times.append(time.perf_counter() - began)
    return median(times[2:])


def finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def square_rate(size: int, dtype: torch.dtype, device: torch.device) -> float:
    """Operations a second of ten `size`^3 products in a row, random numbers."""
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    products = 10

    def work() -> None:
        for _ in range(products):
            torch.mm(left, right)

    return products * 2 * size**3 / seconds_of(work, device)


class MatrixProducts(TorchDispatchMode):
    """Counts the matrix products of what runs inside, by shapes and type; fused attention is none of them."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[tuple[tuple[int, ...], tuple[int, ...], torch.dtype]] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in PRODUCTS:
            left, right = (args[place] for place in PRODUCTS[func])
            self.seen[tuple(left.shape), tuple(right.shape), left.dtype] += 1
        return func(*args, **(kwargs or {}))


def network_rate(call: Callable[[], Tensor], device: torch.device) -> dict[str, Any]:
    """The rate of the matrix products of `call`, each shape timed alone and weighted by how often it occurs.

    rate: operations a second over the `LARGEST` shapes; covered: their share of all the products' operations.
    """
    with MatrixProducts() as products:
        call()
    operations = {key: count * _operations(*key[:2]) for key, count in products.seen.items()}
    chosen = sorted(operations, key=lambda key: -operations[key])[:LARGEST]
    seconds = 0.0
    for key in chosen:
        left, right = (torch.randn(shape, device=device).to(key[2]) for shape in key[:2])
        seconds += products.seen[key] * seconds_of(lambda: torch.matmul(left, right), device, 3)  # noqa: B023
    covered = sum(operations[key] for key in chosen)
    shapes = [[list(key[0]), list(key[1]), str(key[2]), products.seen[key]] for key in chosen]
    return {
        "rate": covered / seconds, "covered": covered / sum(operations.values()), "shapes": shapes,
    }  # fmt: skip


def _operations(left: tuple[int, ...], right: tuple[int, ...]) -> int:
    batch = left[0] if len(left) == 3 else 1
    return 2 * batch * left[-2] * left[-1] * right[-1]
