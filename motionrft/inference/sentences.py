"""Sentences that no cache holds, through the text encoder that a model was trained with."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from motionrft.errors import InputError
from motionrft.text.features import TextBatch
from motionrft.text.kinds import open_encoder

LOG = logging.getLogger("motionrft.inference")
BATCH = 64
LISTED = 300  # words of a vocabulary that can be read at a glance
SAME = 1e-3  # how far, relative to its size, a feature vector of the same encoder may be off on another machine


def checked_sentences(sentences: Sequence[str]) -> list[str]:
    """The sentences without blanks around them; an empty one, or one of several lines, is an error."""
    if not sentences:
        raise InputError("no sentence", fix="say what the person does")
    for number, sentence in enumerate(sentences, start=1):
        if not sentence.strip() or "\n" in sentence.strip():
            raise InputError(
                f"sentence {number} is empty or spans lines", fix="write one line of text"
            )
    return [sentence.strip() for sentence in sentences]


class SentenceEncoder:
    """`encoder([sentences])` gives a `TextBatch` as a `TextCache` does, of any sentence."""

    def __init__(self, encoder: nn.Module):
        self.encoder = encoder

    def empty(self) -> TextBatch:
        return self([""])

    def __call__(self, captions: Sequence[str]) -> TextBatch:
        batches: list[TextBatch] = [
            self.encoder(captions[begin : begin + BATCH]).to("cpu")
            for begin in range(0, len(captions), BATCH)
        ]
        return TextBatch.cat(batches)

    def unknown_words(self, sentences: Sequence[str]) -> list[str]:
        """Words for which the vocabulary has nothing but the unknown token (small encoders of made corpora)."""
        tokenizer: Any = getattr(self.encoder, "tokenizer", None)
        unknown = getattr(tokenizer, "unk_token_id", None)
        if unknown is None or unknown == tokenizer.eos_token_id:  # CLIP has one token for both
            return []
        words = {word.strip(".,;:!?\"'") for sentence in sentences for word in sentence.split()}
        return sorted(word for word in words if word and unknown in tokenizer(word)["input_ids"])

    def known_words(self) -> list[str]:
        """The words of the vocabulary."""
        tokenizer: Any = self.encoder.tokenizer
        special = set(tokenizer.all_special_tokens)
        return sorted(
            word for word in tokenizer.get_vocab() if word.isalpha() and word not in special
        )

    def remark_unknown(self, sentences: Sequence[str]) -> None:
        """Logs the words that it does not know; of a small vocabulary all that it knows, for another try."""
        words = self.unknown_words(sentences)
        if not words:
            return
        LOG.warning("words that the text encoder does not know: %s", ", ".join(words))
        known = self.known_words()
        if len(known) <= LISTED:
            LOG.warning("it was made from its corpus's captions and knows: %s", " ".join(known))


def find_encoder(
    facts: Mapping[str, Any], model: str | Path, given: str | Path | None = None
) -> SentenceEncoder:
    """The encoder of a model file's `text_encoder` facts: at `given`; else where its settings say (a hub name or a
    folder); else in the folder `text/<name>` of the run that the model lies in.

    One that says something else of the empty caption than the model's own did is an error.
    """
    settings, name = dict(facts["encoder"]), facts["name"]
    source = given
    if source is None and not settings.get("source") and "sources" not in settings:
        places = [folder / "text" / name for folder in Path(model).resolve().parents]
        source = next((place for place in places if (place / "config.json").is_file()), None)
        if source is None:
            raise InputError(
                f"its text encoder {name!r} is not in text/{name} of the run that the model lies in",
                where=model,
                fix="name the encoder's folder with --encoder",
            )
    encoder = SentenceEncoder(open_encoder(settings, source))
    expected, found = facts.get("empty"), encoder.empty().pooled[0]
    if expected is not None:
        wanted = torch.tensor(expected)
        if wanted.shape != found.shape or (wanted - found).norm() > SAME * wanted.norm():
            raise InputError(
                f"not the text encoder {name!r} that the model was trained with",
                where=source or settings.get("source", model),
                fix="name the folder of its own with --encoder",
            )
    return encoder
