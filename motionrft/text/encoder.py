"""Frozen text encoders through transformers, from a local directory or a hub name.

| kind         | pooled                                                     | tokens                       |
| ---          | ---                                                        | ---                          |
| sentence-t5  | mean of token states -> dense -> unit norm (768 for large) | T5 encoder states            |
| clip         | projected end-of-text state (`text_embeds`), not normalised| last hidden states, all 77   |
| clip-pooler  | end-of-text state after the final norm, not projected      | last hidden states, all 77   |
| bert         | mean of token states                                       | last hidden states           |
`hymotion` (CLIP-L beside Qwen3, several `sources`) is in `text.hymotion`; `text.kinds` opens any of them by its kind.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motionrft.errors import InputError
from motionrft.loading import loading
from motionrft.progress import progress
from motionrft.text.features import TextBatch

CLIP_LENGTH = 77


@contextmanager
def no_bar_of(source: str) -> Iterator[None]:
    """Without transformers' progress bar where `source` is a folder: only a download takes long enough for one."""
    from transformers.utils import logging

    if not Path(source).is_dir() or not logging.is_progress_bar_enabled():
        yield
        return
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()


class TextEncoder(nn.Module):
    """`encoder(captions) -> TextBatch`, in float32 and eval mode, without gradient."""

    def __init__(self, source: str | Path, *, max_tokens: int = 256):
        super().__init__()
        self.source, self.max_tokens = str(source), max_tokens
        try:
            with loading(), no_bar_of(self.source):
                from transformers import AutoTokenizer

                self.tokenizer = AutoTokenizer.from_pretrained(self.source)
                self.model: Any = self.load(self.source)
        except (OSError, ValueError) as error:
            raise InputError(
                f"no text encoder there ({str(error).splitlines()[0][:160]})",
                where=self.source,
                field="text",
                fix="name a local transformers directory, or a hub model this machine has or can download",
            ) from error
        self.eval().requires_grad_(False)

    def load(self, source: str) -> nn.Module:
        from transformers import AutoModel

        # hub weights of T5 are half precision, and "auto" would keep them so
        model: nn.Module = AutoModel.from_pretrained(source, dtype=torch.float32)
        return model

    def tokenize(self, captions: Sequence[str]) -> dict[str, Tensor]:
        tokens: dict[str, Tensor] = self.tokenizer(
            list(captions),
            padding=True,
            truncation=True,
            max_length=self.max_tokens,
            return_tensors="pt",
        )
        return tokens

    def pool(self, states: Tensor, mask: Tensor) -> Tensor:
        weight = mask.unsqueeze(-1).to(states.dtype)
        return (states * weight).sum(1) / weight.sum(1).clamp(min=1e-9)

    @torch.no_grad()
    def forward(self, captions: Sequence[str]) -> TextBatch:
        device = next(self.model.parameters()).device
        inputs = {name: tensor.to(device) for name, tensor in self.tokenize(captions).items()}
        mask = inputs["attention_mask"].bool()
        states = self.model(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]
        ).last_hidden_state
        return TextBatch(self.pool(states, mask), states, mask, mask.sum(1) - 1)


class BertText(TextEncoder):
    """Token states of a BERT-like encoder, [CLS] and [SEP] kept (MDM's DistilBERT variant)."""


class SentenceT5(TextEncoder):
    """sentence-T5: the T5 encoder, mean pooling, a bias-free dense layer, unit norm.

    The dense layer is the `2_Dense` folder of the sentence-transformers layout. `unit_norm=False` leaves
    the last step out.
    """

    def __init__(self, source: str | Path, *, max_tokens: int = 256, unit_norm: bool = True):
        self.unit_norm = unit_norm
        super().__init__(source, max_tokens=max_tokens)
        self.dense = self._dense()

    def load(self, source: str) -> nn.Module:
        from transformers import T5EncoderModel

        model: nn.Module = T5EncoderModel.from_pretrained(source, dtype=torch.float32)
        return model

    def _dense(self) -> Tensor:
        from safetensors.torch import load_file
        from transformers.utils.hub import cached_file

        for name in ("2_Dense/model.safetensors", "2_Dense/pytorch_model.bin"):
            path = cached_file(self.source, name, _raise_exceptions_for_missing_entries=False)
            if path is not None:
                state = (
                    load_file(path)
                    if path.endswith("safetensors")
                    else torch.load(path, weights_only=True)
                )
                return state["linear.weight"].float()
        raise InputError(
            "no 2_Dense weights",
            where=self.source,
            fix="use a sentence-transformers sentence-t5 directory",
        )

    def pool(self, states: Tensor, mask: Tensor) -> Tensor:
        pooled = super().pool(states, mask) @ self.dense.to(states).T
        return nn.functional.normalize(pooled, dim=-1) if self.unit_norm else pooled


class ClipText(TextEncoder):
    """CLIP's text tower over all 77 positions, pads of id 0 and no attention mask, as OpenAI's code has it.

    `cut` keeps sot + that many tokens + eot (MDM: 20). The tokeniser sees ftfy-cleaned, unescaped text.
    """

    projected = True

    def __init__(
        self, source: str | Path, *, max_tokens: int = CLIP_LENGTH, cut: int = CLIP_LENGTH - 2
    ):
        self.cut = cut
        super().__init__(source, max_tokens=max_tokens)

    def load(self, source: str) -> nn.Module:
        from transformers import CLIPTextModelWithProjection

        model: nn.Module = CLIPTextModelWithProjection.from_pretrained(source, dtype=torch.float32)
        return model

    def tokenize(self, captions: Sequence[str]) -> dict[str, Tensor]:
        import ftfy

        clean = [
            html.unescape(html.unescape(ftfy.fix_text(caption))).strip() for caption in captions
        ]
        lists = self.tokenizer(clean, truncation=True, max_length=self.cut + 2)["input_ids"]
        length = self.model.config.max_position_embeddings
        ids = torch.zeros(len(lists), length, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, tokens in enumerate(lists):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        return {"input_ids": ids, "attention_mask": mask}

    @torch.no_grad()
    def forward(self, captions: Sequence[str]) -> TextBatch:
        device = next(self.model.parameters()).device
        inputs = self.tokenize(captions)
        ids, eos = inputs["input_ids"].to(device), inputs["attention_mask"].sum(1).to(device) - 1
        inner = self.model.text_model
        states = inner(input_ids=ids).last_hidden_state
        pooled = states[torch.arange(len(states), device=device), eos]
        if self.projected:
            pooled = self.model.text_projection(pooled)
        # every position counts: MotionDiffuse attends to all 77
        return TextBatch(pooled, states, torch.ones_like(ids, dtype=torch.bool), eos)


class ClipPooler(ClipText):
    """CLIP without the final projection (HY-Motion's sentence vector, original MLD uses the projected one)."""

    projected = False


def encode_all(
    encoder: nn.Module, captions: Sequence[str], batch_size: int = 256
) -> Iterator[TextBatch]:
    """Features of all captions, in order, on the CPU, batch by batch."""
    starts = range(0, len(captions), batch_size)
    for begin in progress(starts, total=len(starts), label="text", unit="batches"):
        yield encoder(captions[begin : begin + batch_size]).to("cpu")
