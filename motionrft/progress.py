"""Progress: a bar on a terminal, a plain line now and then elsewhere (logs, SLURM output)."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")
LOG = logging.getLogger(__name__)
EVERY_S = 15.0


class _Lines(Iterable[T]):
    """tqdm's two calls that the suite uses, printed as a line every quarter of a minute."""

    def __init__(self, items: Iterable[T], total: int, initial: int, label: str, unit: str):
        self.items, self.total, self.initial = items, total, initial
        self.label, self.unit = label, unit
        self.postfix = ""

    def set_postfix(self, **values: Any) -> None:
        self.postfix = "  ".join(f"{name} {value}" for name, value in values.items())

    def __iter__(self) -> Iterator[T]:
        began = last = time.monotonic()
        for count, item in enumerate(self.items, start=1):
            yield item
            now = time.monotonic()
            done = self.initial + count
            if now - last >= EVERY_S or done == self.total:
                last = now
                rate = count / max(now - began, 1e-9)
                left = (self.total - done) / rate
                LOG.info(
                    "%s %d of %d %s  %.1f/s  %.0f s left  %s",
                    self.label,
                    done,
                    self.total,
                    self.unit,
                    rate,
                    left,
                    self.postfix,
                )


def progress(items: Iterable[T], *, total: int, label: str, unit: str, initial: int = 0) -> Any:
    """`items`, told as they come. unit: what is counted, in the plural ("steps")."""
    if sys.stderr.isatty():
        return tqdm(
            items, total=total, initial=initial, desc=label, unit=f" {unit}", dynamic_ncols=True
        )
    return _Lines(items, total, initial, label, unit)
