"""ACMDM's CLIP-score row: the released MotionCLIP with the token ids of a corpus's captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from motionrft.checkpoints import load_into, read_checkpoint
from motionrft.corpus.store import FeatureStore
from motionrft.errors import InputError
from motionrft.evaluation.motionclip import MotionCLIP, clip_score
from motionrft.motion.normaliser import Normaliser

HEADS = 8  # no tensor's shape tells
PREFIX = "clip."
TOKENIZER = "openai/clip-vit-base-patch16"
SOURCE = "text_mot_match_clip/model/finest.tar of the ACMDM release"


def read_motionclip(path: str | Path, heads: int = HEADS) -> MotionCLIP:
    """The network of a released file, in eval mode. Any mismatch is an error."""
    state = read_checkpoint(path, "contrast_model", source=SOURCE)
    if "positional_embedding" not in state:
        raise InputError(
            "tensor missing",
            where=path,
            field="contrast_model.positional_embedding",
            fix=f"use {SOURCE}",
        )
    network = _network(state, heads)
    load_into(network, state, path)
    return network.eval()


def _network(state: dict[str, Tensor], heads: int) -> MotionCLIP:
    layers = sum(
        key.startswith("textTransEncoder.layers.") and key.endswith(".norm1.weight")
        for key in state
    )
    width, channels = state["motion_encoder.embed_motion.weight"].shape
    return MotionCLIP(
        channels=channels,
        width=width,
        heads=heads,
        feedforward=len(state["textTransEncoder.layers.0.linear1.bias"]),
        layers=layers,
        vocabulary=len(state["token_embedding.weight"]),
        tokens=len(state["positional_embedding"]),
    )


def token_ids(captions: Sequence[str], tokenizer: Any, tokens: int) -> Tensor:
    """[N, tokens] int32 as OpenAI's CLIP pads: zeros after the end token, which a cut caption keeps."""
    lines = tokenizer(list(captions), truncation=True, max_length=tokens)["input_ids"]
    ids = torch.zeros(len(lines), tokens, dtype=torch.int32)
    for row, line in enumerate(lines):
        ids[row, : len(line)] = torch.tensor(line)
    return ids


def clip_tensors(network: MotionCLIP, captions: Sequence[str], ids: Tensor) -> dict[str, Tensor]:
    """Network and captions as tensors of an evaluator file."""
    text = torch.frombuffer(bytearray("\n".join(captions).encode("utf-8")), dtype=torch.uint8)
    weights = {f"{PREFIX}network.{name}": value for name, value in network.state_dict().items()}
    return {**weights, f"{PREFIX}ids": ids, f"{PREFIX}captions": text}


def corpus_tensors(
    checkpoint: str | Path, features: str | Path, tokenizer: str | None = None
) -> dict[str, Tensor]:
    """The network of a released file and the token ids of a corpus's captions, for an evaluator file.

    features: feature store folder; tokenizer: directory or hub name of a CLIP tokeniser.
    """
    from transformers import CLIPTokenizer  # seconds to load: only where captions are read

    network = read_motionclip(checkpoint)
    source = tokenizer or TOKENIZER
    try:
        reader = CLIPTokenizer.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise InputError(
            f"no CLIP tokeniser in {source} ({str(error).splitlines()[0]})",
            where="evaluator",
            field="evaluator.clip_tokenizer",
            fix="name a local directory with CLIP's vocab.json and merges.txt",
        ) from None
    captions = sorted(
        {caption for several in FeatureStore(features).clips["captions"] for caption in several}
    )
    ids = token_ids(captions, reader, len(network.positional_embedding))
    return clip_tensors(network, captions, ids)


@dataclass(frozen=True)
class ClipScore:
    """normaliser: the evaluator's statistics, of which the network's channels come first."""

    network: MotionCLIP
    ids: Tensor
    row: dict[str, int]
    normaliser: Normaliser

    @classmethod
    def read(
        cls, tensors: dict[str, Tensor], normaliser: Normaliser, heads: int = HEADS
    ) -> ClipScore:
        front = f"{PREFIX}network."
        state = {
            key.removeprefix(front): value
            for key, value in tensors.items()
            if key.startswith(front)
        }
        network = _network(state, heads)
        load_into(network, state, "evaluator")
        captions = bytes(tensors[f"{PREFIX}captions"].numpy()).decode("utf-8").split("\n")
        row = {caption: index for index, caption in enumerate(captions)}
        return cls(network.eval(), tensors[f"{PREFIX}ids"].long(), row, normaliser)

    @torch.no_grad()
    def __call__(
        self, captions: Sequence[str], motions: Sequence[Tensor], batch_size: int = 128
    ) -> float:
        """Mean cosine of captions and raw 67-channel motions [T_i, 67]; motions that are not finite are left out."""
        unknown = [caption for caption in captions if caption not in self.row]
        if unknown:
            raise InputError(
                f"caption {unknown[0]!r} has no token ids",
                where="evaluator",
                field="clip_checkpoint",
                fix="import the evaluator again on this corpus",
            )
        pairs = [
            (self.row[caption], motion)
            for caption, motion in zip(captions, motions, strict=True)
            if len(motion) and bool(motion.isfinite().all())
        ]
        texts, embedded = [], []
        device = self.network.logit_scale.device
        for begin in range(0, len(pairs), batch_size):
            part = pairs[begin : begin + batch_size]
            lengths = torch.tensor([len(motion) for _, motion in part])
            batch = pad_sequence([self.normaliser.normalise(motion) for _, motion in part], True)
            ids = self.ids[[row for row, _ in part]].to(device)
            texts.append(self.network.encode_texts(ids).cpu())
            embedded.append(self.network.encode_motions(batch.to(device), lengths).cpu())
        return clip_score(torch.cat(texts), torch.cat(embedded)) if pairs else float("nan")
