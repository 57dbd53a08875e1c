"""The CLIP that an official checkpoint embeds, as a text encoder of this suite."""

from __future__ import annotations

from pathlib import Path

from motionrft.checkpoints import read_checkpoint
from motionrft.text.openai_clip import embedded_clip, text_tower

SECTIONS = ("encoder", "model_avg", "model")


def write_encoder(checkpoint: str | Path, tokenizer: str | Path, folder: str | Path) -> None:
    """A transformers directory of the CLIP in `checkpoint` (MDM's `clip_model.*`, MotionDiffuse's
    `clip.*`), for `text --source`.

    tokenizer: a directory or hub name of CLIP's tokeniser, which checkpoints do not hold.
    """
    from transformers import AutoTokenizer

    tensors = read_checkpoint(checkpoint, *SECTIONS, flat=True)
    text_tower(embedded_clip(tensors, checkpoint), checkpoint).save_pretrained(folder)
    AutoTokenizer.from_pretrained(str(tokenizer)).save_pretrained(folder)
