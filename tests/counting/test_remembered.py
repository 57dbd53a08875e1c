"""A remembered call gives what torch gives: shapes, strides, types, storages and costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from motionrft.counting import operations
from motionrft.counting.operations import counted
from motionrft.counting.remembered import tensors

CALLS: dict[str, Callable[[Tensor], Any]] = {
    "sum of a column and a row": lambda x: x[:, :1] + x[:1],
    "sum in another order": lambda x: x.view(2, 3, 4).permute(2, 0, 1) + 1.0,
    "sum in a third order": lambda x: x.view(3, 2, 4).permute(2, 1, 0) + 1.0,
    "of whole numbers": lambda x: x.long() + 1,
    "of a whole and a broken number": lambda x: x.long() + 1.0,
    "quotient of whole numbers": lambda x: x.long() / 2,
    "product": lambda x: x @ x.T,
    "a check that gives nothing": lambda x: torch.linalg.cholesky(x @ x.T),
    "normalisation": lambda x: F.layer_norm(x, x.shape[1:]),
    "dropout": lambda x: F.dropout(x, 0.1),
    "dropout of nothing": lambda x: torch.native_dropout(x, 0.0, True),
    "split": lambda x: torch.split_copy(x, 3),
    "expanded": lambda x: x[:1].expand(5, -1).clone(),
    "table": lambda x: torch.arange(0, 1, 0.25, device=x.device),
    "joined": lambda x: torch.cat([x, x.double()]),
    "attention": lambda x: F.scaled_dot_product_attention(*[x.view(1, 1, 6, 4)] * 3),
}


def described(output: Any, x: Tensor) -> list[Any]:
    """Of every result, and whether it lies in x's storage."""
    own = x.untyped_storage()._cdata
    return [
        (y.shape, y.stride(), y.dtype, y.untyped_storage().nbytes(), y.untyped_storage()._cdata == own)
        for y in tensors((output,))
    ]  # fmt: skip


def test_calls_give_what_torch_gives(monkeypatch):
    monkeypatch.setattr(operations._CALLS, "_known", {})
    x, turns = torch.empty(6, 4, device="meta"), []
    for _ in range(2):
        found = {}
        for name, call in CALLS.items():
            with counted() as counts:
                output = call(x)
                found[name] = described(output, x), counts.take()
        turns.append(found)
    for name, call in CALLS.items():
        if name != "attention":  # elsewhere another kernel
            assert turns[0][name][0] == described(call(x), x), name
    assert turns[0] == turns[1]


def test_gradients_of_remembered_calls(monkeypatch):
    monkeypatch.setattr(operations._CALLS, "_known", {})
    weight = torch.empty(4, 4, device="meta", requires_grad=True)
    bias = torch.empty(4, device="meta", requires_grad=True)
    costs = []
    for _ in range(2):
        with counted() as counts:
            x = F.gelu(torch.empty(6, 4, device="meta") @ weight)
            F.layer_norm(x, (4,), None, bias).sum().backward()
            costs.append(counts.take())
        assert [p.grad.shape for p in (weight, bias)] == [weight.shape, bias.shape]
        weight.grad = bias.grad = None
    assert costs[0] == costs[1]


def test_values_are_computed_every_time():
    with counted():
        for value in (2.0, 3.0):
            x = torch.full((2,), value)
            assert (x * x).tolist() == [value * value] * 2
            assert torch.arange(2).where(x > 2, 5).tolist() == ([5, 5] if value == 2 else [0, 1])


def test_a_remembered_shape_is_no_leave_for_another_device():
    x = torch.empty(3, device="meta")
    with counted():
        assert (x + x).is_meta
        with pytest.raises(RuntimeError, match="device"):
            x + torch.ones(3)


def test_expanded_tensors_of_one_shape_lie_in_storages_of_their_own():
    traffic = []
    with counted() as counts:
        for rows in (1, 4, 1):
            x = torch.empty(rows, 512, device="meta")[:1].expand(512, 512)
            counts.take()
            y = x + 1.0
            traffic.append(counts.take()[0].traffic - y.nbytes)
    assert traffic == [512 * 4, 4 * 512 * 4, 512 * 4]


def test_the_default_type_counts():
    x = torch.empty(3, dtype=torch.int64, device="meta")
    with counted():
        assert (x / 2).dtype == torch.float32
        torch.set_default_dtype(torch.float64)
        try:
            assert (x / 2).dtype == torch.float64
        finally:
            torch.set_default_dtype(torch.float32)
