"""Text streams kept for a (time, caption) pair: they do not depend on the motion.

A null row depends on its token mask only, so that it is computed once a time-step and length for the whole
data set. Entries are dropped when the network's weights change, and when they outgrow `limit`.
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionrft.backbones.hymotion.mmdit import TextStream
from motionrft.text.features import TextBatch

LIMIT = 1 << 30  # bytes


@dataclass
class _Bank:
    """The rows known at one time-step."""

    rows: dict[bytes, int]
    adapter: Tensor
    keys: Tensor
    values: Tensor

    @property
    def size(self) -> int:
        return sum(t.numel() * t.element_size() for t in (self.adapter, self.keys, self.values))


def _widen(a: Tensor, b: Tensor) -> Tensor:
    """Rows of both [*, blocks, H, L, d], token axes padded to the longer."""
    longest = max(a.shape[3], b.shape[3])
    return torch.cat([F.pad(x, (0, 0, 0, longest - x.shape[3])) for x in (a, b)])


class TextStreamCache:
    def __init__(self, limit: int = LIMIT):
        self.limit = limit
        self.hits = self.misses = 0
        self._banks: dict[float, _Bank] = {}
        self._stamp: tuple = ()
        self._prints: dict[int, tuple[weakref.ref, list[tuple[bytes, bytes]]]] = {}

    def __deepcopy__(self, memo: dict) -> TextStreamCache:
        return TextStreamCache(self.limit)

    def rows(
        self,
        t: float,
        text: TextBatch,
        drop: Tensor,
        weights: Iterable[nn.Parameter],
        compute: Callable[[Tensor], TextStream],
    ) -> TextStream:
        """The stream of every row of `text`; `compute(index)` gives that of the chosen rows.

        drop [B]: rows whose text is the null condition.
        """
        stamp = tuple((id(weight), weight._version, weight.data_ptr()) for weight in weights)
        if stamp != self._stamp:
            self._banks.clear()
            self._stamp = stamp
        prints = [
            pair[null] for pair, null in zip(self._fingerprints(text), drop.tolist(), strict=True)
        ]
        known = self._banks[t].rows if t in self._banks else {}
        new = {mark: row for row, mark in enumerate(prints) if mark not in known}
        self.hits, self.misses = self.hits + len(prints) - len(new), self.misses + len(new)
        if new:
            self._add(t, list(new), compute(torch.tensor(list(new.values()), device=drop.device)))
        bank = self._banks[t]
        index = torch.tensor([bank.rows[mark] for mark in prints], device=drop.device)
        tokens = text.mask.shape[1]
        short = tokens - bank.keys.shape[3]
        keys, values = (
            F.pad(part[index], (0, 0, 0, max(short, 0)))[:, :, :, :tokens]
            for part in (bank.keys, bank.values)
        )
        return TextStream(bank.adapter[index], keys, values, text.mask)

    def _add(self, t: float, marks: list[bytes], stream: TextStream) -> None:
        fresh = _Bank(
            {mark: row for row, mark in enumerate(marks)},
            stream.adapter,
            stream.keys,
            stream.values,
        )
        if fresh.size + sum(bank.size for bank in self._banks.values()) > self.limit:
            kept = self._banks.get(t)
            self._banks = {} if kept is None else {t: kept}
        if t not in self._banks:
            self._banks[t] = fresh
            return
        bank = self._banks[t]
        first = len(bank.rows)
        self._banks[t] = _Bank(
            bank.rows | {mark: first + row for row, mark in enumerate(marks)},
            torch.cat([bank.adapter, fresh.adapter]),
            _widen(bank.keys, fresh.keys),
            _widen(bank.values, fresh.values),
        )

    def _fingerprints(self, text: TextBatch) -> list[tuple[bytes, bytes]]:
        """(with text, without text) of each row, computed once for a TextBatch."""
        entry = self._prints.get(id(text))
        if entry is not None and entry[0]() is text:
            return entry[1]
        masks = text.mask.cpu().numpy()
        pooled, tokens = text.pooled.cpu().numpy(), text.tokens.cpu().numpy()
        prints = []
        for mask, sentence, states in zip(masks, pooled, tokens, strict=True):
            last = int(mask.nonzero()[0].max()) + 1 if mask.any() else 0
            null = hashlib.blake2b(mask[:last].tobytes(), digest_size=16)
            full = null.copy()
            full.update(sentence.tobytes())
            full.update(states[mask].tobytes())
            prints.append((full.digest() + b"c", null.digest() + b"n"))
        if len(self._prints) > 16:
            self._prints.clear()
        self._prints[id(text)] = weakref.ref(text), prints
        return prints
