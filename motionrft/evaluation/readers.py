"""How captions reach an evaluator: as GloVe words with tags, or as token states of a text cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from motionrft.errors import InputError
from motionrft.evaluation.evaluator import Reader
from motionrft.evaluation.words import GloveReader, caption_tokens, table_of
from motionrft.text.features import TextCache


@dataclass(frozen=True)
class CacheReader:
    """Token states of a text cache, no part-of-speech tags."""

    cache: TextCache

    def __call__(self, captions: Sequence[str]) -> tuple[Tensor, None, Tensor]:
        text = self.cache(captions)
        last = torch.arange(1, text.mask.shape[1] + 1) * text.mask
        return text.tokens, None, last.max(dim=1).values


def caption_reader(
    about: dict[str, Any],
    extra: dict[str, Tensor],
    text: TextCache | None,
    clips: pd.DataFrame,
    where: str | Path,
) -> Reader:
    """The reader of an evaluator file: of the words it holds, else of `text`, the cache of its own encoder.

    about, extra: what `load_evaluator` gives; clips: the corpus's table; where: the evaluator file.
    """
    if "words.text" in extra:
        return GloveReader(table_of(extra), caption_tokens(clips))
    if text is None:
        raise InputError(
            "this evaluator reads a text cache",
            where=where,
            field="--evaluator-text",
            fix="name the file",
        )
    trained, given = (part.get("encoder") for part in (about.get("text", {}), text.about))
    if trained != given:
        raise InputError(
            f"made by encoder {given}, but the evaluator was trained on {trained}",
            where=text.path,
            field="encoder",
            fix="pass the cache of that encoder as --evaluator-text",
        )
    return CacheReader(text)
