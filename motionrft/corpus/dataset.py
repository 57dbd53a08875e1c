"""Batches of motions with captions, a pure function of (seed, step): resuming needs no state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from motionrft.corpus.store import FeatureStore
from motionrft.device import moved
from motionrft.errors import InputError

UNIT = 4  # frames a token of the field's evaluators
Draws = np.random.Generator | Sequence[np.random.Generator] | None


@dataclass(frozen=True)
class Batch:
    """B motions of one representation.

    features  [B, T, dim]  z-normalised, zero after each length
    lengths   [B]          frames
    captions  B strings    one caption a motion
    clips     B strings    clip names
    """

    features: Tensor
    lengths: Tensor
    captions: list[str]
    clips: list[str]

    def __len__(self) -> int:
        return len(self.lengths)

    def to(self, device: torch.device | str) -> Batch:
        features, lengths = moved(self.features, device), moved(self.lengths, device)
        return Batch(features, lengths, self.captions, self.clips)


class MotionDataset:
    """One split of a corpus in one representation.

    Training batches follow the field's rule (T2M): a random caption, the length cut to a multiple of 4
    and one unit less in a third of the draws, a random crop. `fixed=True` takes the first caption and
    the leading frames, so that an evaluation sees the same motions every time.
    """

    def __init__(
        self,
        features: str | Path,
        representation: str,
        split: str,
        *,
        max_frames: int = 196,
        min_frames: int = 40,
    ):
        self.store = FeatureStore(features)
        self.representation = representation
        self.max_frames = max_frames
        self.array = self.store.features(representation)
        self.normaliser = self.store.normaliser(representation)
        clips = self.store.clips
        clips = clips[(clips["split"] == split) & (clips["frames"] >= min_frames)]
        if clips.empty:
            raise InputError(
                f"no clip of at least {min_frames} frames in split {split!r}",
                where=features,
                fix="use more or longer clips, or other split fractions",
            )
        self.clips = clips.reset_index(drop=True)
        self._places = list(
            zip(
                *(self.clips[key].tolist() for key in ("clip", "start", "frames", "captions")),
                strict=True,
            )
        )

    def __len__(self) -> int:
        return len(self.clips)

    def batch_at(
        self,
        step: int,
        batch_size: int,
        seed: int,
        *,
        rank: int = 0,
        world: int = 1,
        motions: bool = True,
    ) -> Batch:
        """The training batch of `step`: epochs are permutations, the last partial batch is dropped. Without `motions` the
        same captions, lengths and names, and features of no frame."""
        size = min(batch_size, len(self))
        per_epoch = max(len(self) // (size * world), 1)
        epoch, within = divmod(step, per_epoch)
        order = np.random.default_rng([seed, 1, epoch]).permutation(len(self))
        begin = (within * world + rank) * size
        rows = order[np.arange(begin, begin + size) % len(order)]
        return self._collate(rows, np.random.default_rng([seed, 2, step, rank]), motions)

    def epoch(self, batch_size: int) -> Iterator[Batch]:
        """Every motion once, in order, without any randomness."""
        for begin in range(0, len(self), batch_size):
            yield self._collate(np.arange(begin, min(begin + batch_size, len(self))), None)

    def rows(self, rows: np.ndarray, rng: Draws = None) -> Batch:
        """Chosen rows of `self.clips` as a batch; with `rng` (or one a row), captions and crops are drawn."""
        return self._collate(np.asarray(rows), rng)

    def _collate(self, rows: np.ndarray, rng: Draws, motions: bool = True) -> Batch:
        draws = rng if isinstance(rng, Sequence) else [rng] * len(rows)
        places = [self._place(int(row), draw) for row, draw in zip(rows, draws, strict=True)]
        begins, counts = (np.array([place[which] for place in places]) for which in (0, 1))
        longest = int(counts.max()) if motions else 0
        within = np.arange(longest)[None] < counts[:, None]
        # one gather of all frames; what lies beyond a length is read from its last frame and cleared
        index = begins[:, None] + np.minimum(np.arange(longest)[None], counts[:, None] - 1)
        frames = torch.from_numpy(np.asarray(self.array[index], dtype=np.float32))
        return Batch(
            self.normaliser.normalise(frames) * torch.from_numpy(within)[..., None],
            torch.from_numpy(counts),
            [caption for _, _, caption in places],
            [self._places[int(row)][0] for row in rows],
        )

    def _place(self, row: int, rng: np.random.Generator | None) -> tuple[int, int, str]:
        """First frame in the array, frames, caption."""
        _, begin, frames, captions = self._places[row]
        length = min(frames, self.max_frames) // UNIT * UNIT
        caption = captions[0]
        if rng is not None:
            if rng.integers(3) == 0 and length > UNIT:
                length -= UNIT
            begin += int(rng.integers(frames - length + 1))
            caption = captions[int(rng.integers(len(captions)))]
        return begin, length, caption
