"""What an operation on meta tensors gives and costs, asked of torch once for all calls with the same shapes.

torch finds the shapes of most results in Python, by decompositions of a hundred calls and more, and a network calls few
operations on few shapes, layer after layer and step after step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

# of a call, its arguments and its output, what else depends on shapes alone
Cost = Callable[[Any, Sequence[Any], Mapping[str, Any], Any], tuple[int, ...]]
Shape = tuple[tuple[int, ...], tuple[int, ...], torch.dtype]  # size, stride


class _Known(NamedTuple):
    """kind: of sequence that the results are in; None of a single one."""

    kind: Callable[[Iterator[Any]], Any] | None
    results: list[Shape | None]
    cost: tuple[int, ...]

    def output(self) -> Any:
        """The results of the call again, in storage of their own."""
        made = (None if shape is None else _made(shape) for shape in self.results)
        return next(made) if self.kind is None else self.kind(made)


class Remembered:
    """Calls of operations that torch dispatches, each with its `cost`."""

    def __init__(self, cost: Cost):
        self._cost = cost
        self._known: dict[tuple[Any, ...], _Known] = {}

    def __call__(
        self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Any, tuple[int, ...]]:
        """The output of func(*args, **kwargs), and what it costs."""
        call = _call(func, args, kwargs)
        known = None if call is None else self._known.get(call)
        if known is not None:
            return known.output(), known.cost
        output = func(*args, **kwargs)
        cost = self._cost(func, args, kwargs, output)
        shapes = None if call is None else _shapes(output, (*args, *kwargs.values()))
        if call is not None and shapes is not None:
            kind = None if isinstance(output, Tensor) else type(output)
            self._known[call] = _Known(kind, shapes, cost)
        return output, cost


def tensors(values: Any) -> Iterator[Tensor]:
    """Those among arguments or results, also in their lists."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from tensors(value)


def _call(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """All that the shapes of a call's results depend on. None where the call writes, or a tensor has values."""
    if func._schema.is_mutable:
        return None
    parts: list[Any] = [func, torch.get_default_dtype()]
    return tuple(parts) if _describe(args, parts) and _describe(kwargs.items(), parts) else None


def _describe(values: Any, parts: list[Any]) -> bool:
    """Appends what can be read back from left to right; False where a tensor has values."""
    for value in values:
        if isinstance(value, Tensor):
            if not value.is_meta:
                return False
            parts += value.shape, value.stride(), value.dtype
            if not value.is_contiguous():
                # an expanded tensor is read once, whatever its shape
                parts.append(value.untyped_storage().nbytes())
        elif isinstance(value, (list, tuple)):
            parts += list, len(value)
            if not _describe(value, parts):
                return False
        else:
            parts += type(value), value  # 1 == 1.0
    return True


def _shapes(output: Any, arguments: Sequence[Any]) -> list[Shape | None] | None:
    """Of the results; None where there is none, or one is no tensor, has values, or does not fill a storage of its own:
    a result may be an argument, as dropout's is where nothing is dropped."""
    if output is None:
        return None
    shapes: list[Shape | None] = []
    taken = {tensor.untyped_storage()._cdata for tensor in tensors(arguments)}
    for result in output if isinstance(output, (list, tuple)) else (output,):
        if result is None:
            shapes.append(None)
            continue
        if not (isinstance(result, Tensor) and result.is_meta):
            return None
        shape, storage = (result.shape, result.stride(), result.dtype), result.untyped_storage()
        if storage._cdata in taken or storage.nbytes() != _made(shape).untyped_storage().nbytes():
            return None
        taken.add(storage._cdata)
        shapes.append(shape)
    return shapes


def _made(shape: Shape) -> Tensor:
    size, stride, dtype = shape
    return torch.empty_strided(size, stride, dtype=dtype, device="meta")
