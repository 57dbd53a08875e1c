"""Floating-point operations of what runs inside a block, on any device, by torch's own formulas.

`torch.utils.flop_counter.FlopCounterMode` counts the same (attention on a CPU aside) and loads the compiler with its
first operation, 2.5 s of a processor in every fine-tuning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, shape_wrapper

from motionrft.counting.attention import FLOPS_OF_ATTENTION

FORMULAS: Mapping[Any, Callable[..., int]] = {
    **flop_registry,
    **{name: shape_wrapper(formula) for name, formula in FLOPS_OF_ATTENTION.items()},
}


class FlopCounter(TorchDispatchMode):
    """Counts, while active: `flops` of products, convolutions and attention so far."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0

    # torch's own switch: a mode that says no is called as it stands, without the compiler around it
    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        formula = FORMULAS.get(func.overloadpacket)
        if formula is None and func is not torch.ops.prim.device.default:
            # in inference mode a linear layer arrives whole
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        output = func(*args, **kwargs)
        if formula is not None:
            self.flops += formula(*args, **kwargs, out_val=output)
        return output
