"""Random draws without values."""

from __future__ import annotations

import torch


class MetaGenerator(torch.Generator):
    """A generator of meta tensors, which torch has none of: it says of itself that it is there, and is never drawn from."""

    device = torch.device("meta")


def generator_on(device: torch.device, seed: int) -> torch.Generator:
    """A seeded generator of a device."""
    return MetaGenerator() if device.type == "meta" else torch.Generator(device).manual_seed(seed)
