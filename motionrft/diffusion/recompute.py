"""Activation checkpointing of one network call: only its input is kept, the rest is computed again.

A plain autograd function, so that the second forward runs inside the caller's saved-tensor hooks (the
memory meter sees what it holds) and parameters receive their gradients by autograd's usual road.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


class _Recompute(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        run: Callable[[Tensor], Tensor],
        parameters: Sequence[Tensor],
        x: Tensor,
        *_: Tensor,
    ) -> Tensor:
        ctx.run, ctx.parameters = run, parameters
        ctx.save_for_backward(x)
        ctx.cpu_state = torch.get_rng_state()
        ctx.devices = [x.device] if x.is_cuda else []
        ctx.cuda_states = [torch.cuda.get_rng_state(device) for device in ctx.devices]
        ctx.autocast = _ambient_autocast(x.device.type)
        with _without_cache(ctx.autocast):
            return run(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (kept,) = ctx.saved_tensors
        wants_input = ctx.needs_input_grad[2]
        again = _without_cache(ctx.autocast)
        with torch.random.fork_rng(devices=ctx.devices), torch.enable_grad(), again:
            # the very dropout masks of the first forward
            torch.set_rng_state(ctx.cpu_state)
            for device, state in zip(ctx.devices, ctx.cuda_states, strict=True):
                torch.cuda.set_rng_state(state, device)
            x = kept.detach().requires_grad_(wants_input)
            output = ctx.run(x)
        sources = [x, *ctx.parameters] if wants_input else list(ctx.parameters)
        grads = torch.autograd.grad(output, sources, gradients[0], allow_unused=True)
        return None, None, *(grads if wants_input else (None, *grads))


def _ambient_autocast(kind: str) -> tuple[str, torch.dtype, bool] | None:
    if not torch.amp.is_autocast_available(kind):
        return None
    return kind, torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind)


def _without_cache(
    autocast: tuple[str, torch.dtype, bool] | None,
) -> contextlib.AbstractContextManager[Any]:
    """The caller's autocast, the backward pass's too. Copies of weights that are made where no gradient flows are not
    kept for where it does."""
    if autocast is None:
        return contextlib.nullcontext()
    kind, dtype, enabled = autocast
    return torch.autocast(kind, dtype, enabled, cache_enabled=False)


def recomputed(run: Callable[[Tensor], Tensor], parameters: Sequence[Tensor], x: Tensor) -> Tensor:
    """`run(x)` whose activations are not kept; gradients reach x and `parameters` (all that `run` trains)."""
    output: Tensor = _Recompute.apply(run, parameters, x, *parameters)  # type: ignore[no-untyped-call]
    return output
