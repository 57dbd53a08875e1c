"""Libraries that take seconds to load."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """The garbage collector at rest while libraries are imported: modules stay until the process ends, and searching them
    takes a quarter of the seconds of PyTorch and of transformers."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
