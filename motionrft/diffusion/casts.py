"""Autocast's bf16 copies of weights: made once for a whole trajectory, and gone when it ends.

Autocast forgets its copies where its outermost block ends, which for a network that enters its own is every call.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

# device, type, and whether it is on
Ambient = tuple[str, torch.dtype, bool]


def ambient_autocast(kind: str) -> Ambient | None:
    """What code on this kind of device runs under; None where torch has no autocast (the meta device)."""
    if not torch.amp.is_autocast_available(kind):
        return None
    return kind, torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind)


def without_copies(autocast: Ambient | None) -> contextlib.AbstractContextManager[Any]:
    """That autocast again, in a backward pass too. Copies of weights that are made where no gradient flows are not kept
    for where it does."""
    if autocast is None:
        return contextlib.nullcontext()
    kind, dtype, enabled = autocast
    return torch.autocast(kind, dtype, enabled, cache_enabled=False)


@contextlib.contextmanager
def copied_once(device: torch.device) -> Iterator[None]:
    """Where nothing takes a gradient and no weight changes: what autocast copies inside is kept until this block ends,
    also within an autocast of the caller's. Weights trained later are copied anew, and no graph ever reads a copy that
    was made without one. Autocast stays on or off as it is."""
    autocast = ambient_autocast(device.type)
    if autocast is None:
        yield
        return
    torch.clear_autocast_cache()
    try:
        with torch.autocast(*autocast):
            yield
    finally:
        torch.clear_autocast_cache()


@contextlib.contextmanager
def asking_for_gradients(weights: Sequence[nn.Parameter]) -> Iterator[None]:
    """Autocast keeps copies of weights that take gradients only: where none is taken, frozen ones say that they do."""
    frozen = [] if torch.is_grad_enabled() else [w for w in weights if not w.requires_grad]
    try:
        for weight in frozen:
            weight.requires_grad_(True)
        yield
    finally:
        for weight in frozen:
            weight.requires_grad_(False)
