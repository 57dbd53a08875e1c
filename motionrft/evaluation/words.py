"""Captions as GloVe vectors and part-of-speech tags: what the official text encoder reads.

The vocabulary files (`our_vab_data.npy`, `our_vab_words.pkl`, `our_vab_idx.pkl`) belong to Guo et
al.'s release; the word lists that override a tag are its data, in `vip_words.json`.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from motionrft.contents import read_array, refuse_stand_in
from motionrft.errors import InputError
from motionrft.plain_pickle import UNREADABLE

POS = (
    *("VERB", "NOUN", "DET", "ADP", "NUM", "AUX", "PRON", "ADJ", "ADV"),
    *("Loc_VIP", "Body_VIP", "Obj_VIP", "Act_VIP", "Desc_VIP", "OTHER"),
)
MAX_WORDS = 20  # sos and eos come on top
UNKNOWN = "unk/OTHER"
PREFIX = "our_vab"
SOURCE = "the evaluator's release (glove.zip of text-to-motion)"


@cache
def special_tags() -> dict[str, str]:
    """word -> the tag that replaces its part of speech; the first list that holds the word decides."""
    lists = json.loads(Path(__file__).with_name("vip_words.json").read_text(encoding="utf-8"))
    tags: dict[str, str] = {}
    for tag in ("Loc_VIP", "Body_VIP", "Obj_VIP", "Act_VIP", "Desc_VIP"):
        for word in lists[tag]:
            tags.setdefault(word, tag)
    return tags


def pos_index(word: str, pos: str, known: bool) -> int:
    """Row of `POS` for a word tagged `pos`. A word without a vector (`known` false) is OTHER."""
    tag = special_tags().get(word, pos) if known else "OTHER"
    return POS.index(tag if tag in POS else "OTHER")


def framed(tokens: Sequence[str]) -> list[str]:
    """At most 20 `word/POS` tokens between sos and eos."""
    return ["sos/OTHER", *tokens[:MAX_WORDS], "eos/OTHER"]


@dataclass(frozen=True)
class WordTable:
    """words N strings; vectors [N, dim]. Must hold "unk"."""

    words: list[str]
    vectors: Tensor

    def __post_init__(self) -> None:
        if len(self.words) != len(self.vectors) or "unk" not in self.words:
            raise InputError(
                f"{len(self.words)} words for {len(self.vectors)} vectors, 'unk' needed",
                field="words",
                fix=f"use the complete files of {SOURCE}",
            )
        object.__setattr__(self, "_row", {word: row for row, word in enumerate(self.words)})

    def __contains__(self, word: str) -> bool:
        return word in self._row  # type: ignore[attr-defined]

    def lookup(self, sentences: Sequence[Sequence[str]]) -> tuple[Tensor, Tensor, Tensor]:
        """Framed sentences of `word/POS` -> vectors [B, 22, dim], one-hots [B, 22, 15], lengths [B]."""
        width = MAX_WORDS + 2
        rows = torch.full((len(sentences), width), self._row["unk"])  # type: ignore[attr-defined]
        tags = torch.full((len(sentences), width), POS.index("OTHER"))
        for line, sentence in enumerate(sentences):
            for column, token in enumerate(sentence):
                word, _, pos = token.partition("/")
                known = word in self
                if known:
                    rows[line, column] = self._row[word]  # type: ignore[attr-defined]
                tags[line, column] = pos_index(word, pos, known)
        lengths = torch.tensor([len(sentence) for sentence in sentences])
        one_hot = torch.nn.functional.one_hot(tags, len(POS)).float()
        return self.vectors[rows].float(), one_hot, lengths


class _PlainUnpickler(pickle.Unpickler):
    """Lists, dictionaries, strings and numbers only: a downloaded pickle must not run code."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"holds a {module}.{name}")


def _unpickle(path: Path) -> Any:
    refuse_stand_in(path, fix=f"get it from {SOURCE}")
    try:
        with open(path, "rb") as file:
            return _PlainUnpickler(file).load()
    except (*UNREADABLE, RecursionError) as error:
        raise InputError(
            f"not a plain word list ({error})", where=path, fix=f"use the file of {SOURCE}"
        ) from None


def read_glove(folder: str | Path, prefix: str = PREFIX) -> WordTable:
    """The three vocabulary files of a folder."""
    folder = Path(folder)
    paths = [folder / f"{prefix}_{name}" for name in ("data.npy", "words.pkl", "idx.pkl")]
    for path in paths:
        if not path.is_file():
            raise InputError("no such file", where=path, fix=f"get it from {SOURCE}")
    vectors = torch.from_numpy(read_array(paths[0], f"get it from {SOURCE}").astype(np.float32))
    words, index = _unpickle(paths[1]), _unpickle(paths[2])
    try:
        return WordTable(list(words), vectors[[int(index[word]) for word in words]])
    except (TypeError, LookupError, ValueError) as error:
        raise InputError(
            f"words, indices and vectors do not fit ({error})",
            where=folder,
            field="glove",
            fix=f"use the three files of {SOURCE}",
        ) from None


def table_tensors(table: WordTable) -> dict[str, Tensor]:
    """A word table as tensors of an evaluator file."""
    text = "\n".join(table.words).encode("utf-8")
    return {
        "words.vectors": table.vectors,
        "words.text": torch.frombuffer(bytearray(text), dtype=torch.uint8),
    }


def table_of(tensors: dict[str, Tensor]) -> WordTable:
    """The word table in the tensors of an evaluator file."""
    words = bytes(tensors["words.text"].numpy()).decode("utf-8").split("\n")
    return WordTable(words, tensors["words.vectors"])


def caption_tokens(clips: pd.DataFrame) -> dict[str, list[str]]:
    """caption -> its `word/POS` tokens, from the `tokens` column of a corpus's clips table.

    The column holds one string a caption, tokens separated by blanks, as HumanML3D's text files do.
    """
    if "tokens" not in clips.columns:
        return {}
    return {
        caption: tokens.split()
        for captions, lines in zip(clips["captions"], clips["tokens"], strict=True)
        for caption, tokens in zip(captions, lines, strict=True)
    }


@dataclass(frozen=True)
class GloveReader:
    """Reads captions for the official text encoder; `tokens` gives the tagged words of each caption."""

    table: WordTable
    tokens: Mapping[str, Sequence[str]]

    def __call__(self, captions: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        try:
            sentences = [framed(self.tokens[caption]) for caption in captions]
        except KeyError as error:
            raise InputError(
                f"caption {error.args[0]!r} has no tagged words",
                field="tokens",
                fix="the official evaluator needs the word/POS field of HumanML3D's texts; "
                "use a corpus that has it, or the suite's own evaluator",
            ) from None
        return self.table.lookup(sentences)
