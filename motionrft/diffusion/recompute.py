"""Activation checkpointing of one network call: only its input is kept, the rest is computed again.

A plain autograd function, so that the second forward runs inside the caller's saved-tensor hooks (the
memory meter sees what it holds) and parameters receive their gradients by autograd's usual road.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from motionrft.diffusion.casts import ambient_autocast, without_copies


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
        ctx.autocast = ambient_autocast(x.device.type)
        with without_copies(ctx.autocast):
            return run(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (kept,) = ctx.saved_tensors
        wants_input = ctx.needs_input_grad[2]
        again = without_copies(ctx.autocast)
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


def recomputed(run: Callable[[Tensor], Tensor], parameters: Sequence[Tensor], x: Tensor) -> Tensor:
    """`run(x)` whose activations are not kept; gradients reach x and `parameters` (all that `run` trains)."""
    output: Tensor = _Recompute.apply(run, parameters, x, *parameters)  # type: ignore[no-untyped-call]
    return output
