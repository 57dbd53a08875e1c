"""Text features: what a text encoder says of each caption, computed once and read from one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from motionrft.device import moved
from motionrft.errors import InputError
from motionrft.files import read_tensors


@dataclass(frozen=True)
class TextBatch:
    """Features of B captions.

    pooled  [B, P]     one vector a caption (pooling and normalisation as the encoder's paper has it)
    tokens  [B, L, D]  token states, padded
    mask    [B, L]     True = a token that counts
    eos     [B]        row of the end-of-text token in `tokens`
    """

    pooled: Tensor
    tokens: Tensor
    mask: Tensor
    eos: Tensor

    def __len__(self) -> int:
        return len(self.pooled)

    def to(self, device: torch.device | str) -> TextBatch:
        return TextBatch(*(moved(getattr(self, field.name), device) for field in fields(self)))

    def select(self, index: Tensor | slice) -> TextBatch:
        return TextBatch(*(getattr(self, field.name)[index] for field in fields(self)))

    def expand(self, batch: int) -> TextBatch:
        """One caption's features repeated `batch` times."""
        return self.select(torch.zeros(batch, dtype=torch.long, device=self.pooled.device))

    @staticmethod
    def cat(parts: Sequence[TextBatch]) -> TextBatch:
        """Batches one after another, token axes padded to the longest."""
        longest = max(part.tokens.shape[1] for part in parts)

        def widen(tensor: Tensor) -> Tensor:
            shape = list(tensor.shape)
            shape[1] = longest - shape[1]
            return torch.cat([tensor, tensor.new_zeros(shape)], dim=1) if shape[1] else tensor

        return TextBatch(
            torch.cat([part.pooled for part in parts]),
            torch.cat([widen(part.tokens) for part in parts]),
            torch.cat([widen(part.mask) for part in parts]),
            torch.cat([part.eos for part in parts]),
        )


class CaptionFeatures(Protocol):
    """What has features for captions: a cache for those of a corpus, an encoder for any."""

    def empty(self) -> TextBatch:
        """Features of the empty caption (the unconditional branch of guidance), B = 1."""
        ...

    def __call__(self, captions: Sequence[str]) -> TextBatch: ...


class TextCache:
    """Features of every caption of a corpus and of the empty caption, for one text encoder.

    `cache([captions])` gives a `TextBatch`; a caption that was not cached is an error, since no rule
    encodes a caption twice. The file is mapped: what is read of it is in memory, and no more.

    tokens: False for readers of pooled vectors alone: batches then have no token (L = 0). A file that holds pooled
    vectors alone (`text.<name>.keep`) is an `InputError` for all others.
    """

    def __init__(self, path: str | Path, *, tokens: bool = True):
        self.path = Path(path)
        tensors, self.about = read_tensors(self.path)
        missing = {"pooled", "tokens", "offsets", "mask", "eos", "captions"} - set(tensors)
        if missing:
            raise InputError(
                f"no tensor {sorted(missing)[0]!r}",
                where=self.path,
                fix="delete it and run the text rule again",
            )
        self._tensors = tensors
        captions = bytes(tensors["captions"].numpy()).decode("utf-8").split("\n")
        self._row = {caption: row for row, caption in enumerate(captions)}
        if len(captions) != len(tensors["pooled"]):
            raise InputError(
                f"{len(captions)} captions but {len(tensors['pooled'])} feature rows",
                where=self.path,
                fix="delete it and run the text rule again",
            )
        self.reads_tokens = tokens
        if tokens:
            self.require_tokens()

    def require_tokens(self) -> None:
        """From here on batches have their tokens; an `InputError` where the file holds none."""
        if not len(self._tensors["tokens"]):
            raise InputError(
                "holds pooled vectors alone, and token states are read",
                where=self.path,
                field="text: keep",
                fix="leave `keep: pooled` out of this encoder's section, or name an encoder that has none",
            )
        self.reads_tokens = True

    @property
    def captions(self) -> list[str]:
        return list(self._row)

    @property
    def pooled_dim(self) -> int:
        return self._tensors["pooled"].shape[1]

    @property
    def token_dim(self) -> int:
        return self._tensors["tokens"].shape[1]

    def empty(self) -> TextBatch:
        """Features of the empty caption (the unconditional branch of guidance), B = 1."""
        return self([""])

    def __call__(self, captions: Sequence[str]) -> TextBatch:
        try:
            rows = torch.tensor([self._row[caption] for caption in captions])
        except KeyError as error:
            raise InputError(
                f"caption {error.args[0]!r} has no features",
                where=self.path,
                fix="run the text rule again on this corpus",
            ) from None
        pooled, eos = self._tensors["pooled"][rows].float(), self._tensors["eos"][rows]
        if not self.reads_tokens:
            none = pooled.new_zeros(len(rows), 0, self.token_dim)
            return TextBatch(pooled, none, none[..., 0].bool(), eos)
        offsets = self._tensors["offsets"]
        start, stop = offsets[rows], offsets[rows + 1]
        lengths = stop - start
        within = torch.arange(int(lengths.max()))
        inside = within[None] < lengths[:, None]
        index = (start[:, None] + within[None]).clamp(max=len(self._tensors["tokens"]) - 1)
        tokens = self._tensors["tokens"][index].float() * inside[..., None]
        return TextBatch(pooled, tokens, self._tensors["mask"][index].bool() & inside, eos)


class UnreadText:
    """In place of a cache, for a stage that learns from motions alone: vectors of zeros. widths: {"pooled", "tokens"}."""

    def __init__(self, widths: Mapping[str, int], about: dict[str, Any]):
        self.pooled_dim, self.token_dim = widths["pooled"], widths["tokens"]
        self.about = about

    def empty(self) -> TextBatch:
        return self([""])

    def __call__(self, captions: Sequence[str]) -> TextBatch:
        count = len(captions)
        tokens = torch.zeros(count, 0, self.token_dim)
        eos = torch.zeros(count, dtype=torch.long)
        return TextBatch(torch.zeros(count, self.pooled_dim), tokens, tokens[..., 0].bool(), eos)
