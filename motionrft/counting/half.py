"""Autocast for meta tensors, for which torch has none: products in bfloat16, normalisations in float32, as on a card."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

# of torch's lists for CUDA, those that this suite's networks call
PRODUCTS = {
    F.linear,
    F.conv1d,
    F.conv2d,
    F.scaled_dot_product_attention,
    torch.matmul,
    torch.bmm,
    torch.einsum,
    Tensor.matmul,
    Tensor.__matmul__,
}
WHOLE = {F.layer_norm, F.softmax, F.smooth_l1_loss, F.mse_loss, F.cross_entropy, torch.softmax, Tensor.softmax}  # fmt: skip


class HalfProducts(TorchFunctionMode):
    """`torch.autocast(device, torch.bfloat16)` of the meta device."""

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        kind = torch.bfloat16 if func in PRODUCTS else torch.float32 if func in WHOLE else None
        if kind is not None:
            args = tuple(_cast(value, kind) for value in args)
            kwargs = {name: _cast(value, kind) for name, value in kwargs.items()}
        return func(*args, **kwargs)


def _cast(value: Any, kind: torch.dtype) -> Any:
    floating = isinstance(value, Tensor) and value.is_meta and value.is_floating_point()
    return value.to(kind) if floating else value
