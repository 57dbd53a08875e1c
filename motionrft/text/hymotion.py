"""HY-Motion's text states: a sentence vector of CLIP-L and token states of Qwen3 inside a chat prompt.

The prompt's fixed system message is read from the official code (`model_constants.py`), byte for byte.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motionrft.errors import InputError
from motionrft.text.encoder import ClipPooler
from motionrft.text.features import TextBatch

MARKER = "<BOC>"  # stands for the caption while its place is searched
SOURCES = ("clip", "qwen", "template")
SHORTEST_TEMPLATE = 100  # characters


def read_template(path: str | Path) -> str:
    """The system message: all of a .txt file, or the one long string of a Python file (which is not run)."""
    path = Path(path)
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"not readable ({error})",
            where=path,
            fix="take model_constants.py from the official code",
        ) from None
    if path.suffix != ".py":
        return content
    long = {
        node.value
        for node in ast.walk(ast.parse(content))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and len(node.value) >= SHORTEST_TEMPLATE
    }
    documentation = ast.get_docstring(ast.parse(content), clean=False)
    long.discard(documentation or "")
    if len(long) != 1:
        raise InputError(
            f"{len(long)} long strings, expected one",
            where=path,
            fix="put the system message in a .txt file",
        )
    return long.pop()


class HYMotionText(nn.Module):
    """`encoder(captions) -> TextBatch`: pooled [B, 768] is CLIP's end-of-text state after the final norm, not
    projected; tokens [B, L, 4096] are Qwen3's states after its final norm from the caption's first token on,
    the end-of-turn token and the newline after it included.

    sources: directories (or hub names) `clip` and `qwen`, and the file `template`.
    """

    def __init__(
        self, sources: dict[str, Any], *, max_tokens: int = 128, dtype: torch.dtype = torch.bfloat16
    ):
        super().__init__()
        from transformers import AutoModel, AutoTokenizer

        for name in SOURCES:
            if name not in sources:
                raise InputError(
                    "missing", field=f"text.sources.{name}", fix=f"name all of {', '.join(SOURCES)}"
                )
        self.max_tokens, self.system = max_tokens, read_template(sources["template"])
        self.clip = ClipPooler(sources["clip"])
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(sources["qwen"], padding_side="right")
            self.qwen = AutoModel.from_pretrained(sources["qwen"], dtype=dtype)
        except (OSError, ValueError) as error:
            raise InputError(
                f"no language model there ({str(error).splitlines()[0][:160]})",
                where=sources["qwen"],
                field="text.sources.qwen",
                fix="name a local Qwen3 directory, or a hub model this machine has or can download",
            ) from error
        self.crop = self.caption_start()
        self.eval().requires_grad_(False)

    def prompt(self, caption: str) -> str:
        messages = [
            {"role": "system", "content": self.system},
            {"role": "user", "content": caption},
        ]
        text = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=False, enable_thinking=False
        )
        assert isinstance(text, str)
        return text

    def caption_start(self) -> int:
        """Tokens of a prompt before its caption."""
        ids = self.tokenizer(self.prompt(MARKER), add_special_tokens=False)["input_ids"]
        marker = self.tokenizer(MARKER, add_special_tokens=False)["input_ids"]
        for place in range(len(ids) - len(marker) + 1):
            if ids[place : place + len(marker)] == marker:
                return place
        raise InputError(
            f"the chat template does not keep {MARKER} as it is",
            field="text.sources.qwen",
            fix="use Qwen3's tokeniser",
        )

    @torch.no_grad()
    def states(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Qwen3's states [B, L, C] and their mask [B, L], L at most `max_tokens`."""
        inputs = self.tokenizer(
            [self.prompt(caption) for caption in captions],
            add_special_tokens=False,
            padding=True,
            truncation=True,
            max_length=self.crop + self.max_tokens,
            return_tensors="pt",
        ).to(self.qwen.device)
        hidden = self.qwen(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
        window = slice(self.crop, self.crop + self.max_tokens)
        mask = inputs["attention_mask"][:, window].bool()
        return hidden.last_hidden_state[:, window] * mask[..., None], mask

    @torch.no_grad()
    def forward(self, captions: Sequence[str]) -> TextBatch:
        tokens, mask = self.states(captions)
        return TextBatch(self.clip(captions).pooled, tokens, mask, mask.sum(1) - 1)
