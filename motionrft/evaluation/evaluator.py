"""The judge: embeds motions and captions in one space, and says whose judgement it is.

Two kinds share this class. The official T2M or ACMDM networks read GloVe words; the suite's own
evaluator, trained where no official one exists, reads the token states of a text cache. Its label
goes with every number it makes, since scores of different evaluators are not comparable.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motionrft.artefacts import load_into, read_tensors, write_tensors
from motionrft.corpus.store import FeatureStore
from motionrft.errors import InputError
from motionrft.evaluation.networks import UNIT, MotionEncoder, MovementEncoder, TextEncoder
from motionrft.motion.normaliser import Normaliser
from motionrft.text.features import TextCache

# captions -> word vectors [B, L, D], part-of-speech one-hots [B, L, P] or None, lengths [B]
Reader = Callable[[Sequence[str]], tuple[Tensor, Tensor | None, Tensor]]
SELF_TRAINED, OFFICIAL = "self-trained", "official"
CHANNELS = {
    # official motion networks see the kinematic features without the four contact labels
    "all but contacts": lambda dim: slice(0, dim - 4),
    # ACMDM's see root and joint positions only
    "first 67": lambda dim: slice(0, 67),
}


@dataclass(frozen=True)
class CacheReader:
    """Token states of a text cache, no part-of-speech tags."""

    cache: TextCache

    def __call__(self, captions: Sequence[str]) -> tuple[Tensor, None, Tensor]:
        text = self.cache(captions)
        last = torch.arange(1, text.mask.shape[1] + 1) * text.mask
        return text.tokens, None, last.max(dim=1).values


@dataclass(frozen=True)
class Widths:
    """Sizes of the three networks; the defaults are the official ones."""

    movement_hidden: int = 512
    movement: int = 512
    motion_hidden: int = 1024
    text_hidden: int = 512
    embedding: int = 512


class Evaluator(nn.Module):
    """normaliser: statistics of raw kinematic features; max_frames: what longer padding is cut to."""

    def __init__(
        self,
        widths: Widths,
        normaliser: Normaliser,
        *,
        word: int,
        pos: int = 0,
        channels: str = "all but contacts",
        max_frames: int = 196,
    ):
        super().__init__()
        self.channels = CHANNELS[channels](len(normaliser.mean))
        width = self.channels.stop
        self.movement_encoder = MovementEncoder(width, widths.movement_hidden, widths.movement)
        self.motion_encoder = MotionEncoder(widths.movement, widths.motion_hidden, widths.embedding)
        self.text_encoder = TextEncoder(word, pos, widths.text_hidden, widths.embedding)
        self.normaliser, self.max_frames, self.width = normaliser, max_frames, widths.embedding

    @property
    def device(self) -> torch.device:
        return self.motion_encoder.hidden.device

    def encode_motions(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Normalised features [B, T, dim], lengths in frames [B] -> [B, E]. Differentiable."""
        movements = self.movement_encoder(features[..., self.channels])
        return self.motion_encoder(movements, lengths // UNIT)

    def encode_texts(self, words: Tensor, pos: Tensor | None, lengths: Tensor) -> Tensor:
        return self.text_encoder(words, pos, lengths)

    @torch.no_grad()
    def embed_texts(self, captions: Sequence[str], reader: Reader, batch_size: int = 512) -> Tensor:
        """[N, E] on the CPU."""
        parts = []
        for begin in range(0, len(captions), batch_size):
            words, pos, lengths = reader(captions[begin : begin + batch_size])
            tags = None if pos is None else pos.to(self.device)
            parts.append(self.encode_texts(words.to(self.device), tags, lengths).cpu())
        return torch.cat(parts)

    @torch.no_grad()
    def embed_motions(
        self, motions: Sequence[Tensor], *, padding: Tensor | None = None, batch_size: int = 256
    ) -> Tensor:
        """Raw kinematic features, N tensors [T_i, dim] -> [N, E] on the CPU, each as if it were alone.

        A motion with a NaN or infinite feature, or shorter than one token, has a NaN embedding: the
        caller counts it. `padding` [dim] is the raw value of padded frames; the default is the
        evaluator's mean, zero after normalisation. (MLD and its heirs pad with the mean of the
        training statistics, which the evaluator's differ from; the last token sees it.)
        """
        result = torch.full((len(motions), self.width), float("nan"))
        usable = [
            row
            for row, motion in enumerate(motions)
            if len(motion) >= UNIT and bool(torch.isfinite(motion).all())
        ]
        usable.sort(key=lambda row: -len(motions[row]))
        fill = self.normaliser.mean if padding is None else padding
        for begin in range(0, len(usable), batch_size):
            rows = usable[begin : begin + batch_size]
            lengths = torch.tensor([min(len(motions[row]), self.max_frames) for row in rows])
            # one spare token of padding makes a motion's last tokens independent of its batch
            frames = min(int(lengths[0]) + UNIT, self.max_frames)
            batch = fill.expand(len(rows), frames, -1).clone()
            for index, row in enumerate(rows):
                batch[index, : lengths[index]] = motions[row][: lengths[index]].to(batch)
            batch = self.normaliser.normalise(batch)
            result[rows] = self.encode_motions(batch.to(self.device), lengths).cpu()
        return result


def corpus_digest(store: FeatureStore) -> str:
    """Twelve hex digits that name a corpus: its clips, their lengths and splits, and its statistics."""
    normaliser = store.normaliser("kinematic")
    state = hashlib.sha256(normaliser.mean.numpy().tobytes() + normaliser.std.numpy().tobytes())
    clips = store.clips[["clip", "frames", "split"]].astype(str)
    for column in clips.columns:
        state.update("\n".join(clips[column]).encode())
    return state.hexdigest()[:12]


def save_evaluator(
    path: str | Path,
    evaluator: Evaluator,
    about: dict[str, Any],
    extra: dict[str, Tensor] | None = None,
) -> None:
    """All weights and statistics. about: {"label", "corpus", "build": arguments of Evaluator, …}."""
    missing = {"label", "corpus", "build"} - set(about)
    if missing:
        raise ValueError(f"about lacks {sorted(missing)}")
    tensors = dict(evaluator.state_dict()) | (extra or {})
    tensors["normaliser.mean"] = evaluator.normaliser.mean
    tensors["normaliser.std"] = evaluator.normaliser.std
    write_tensors(path, tensors, about)


def load_evaluator(
    path: str | Path, *, corpus: str | None = None, device: torch.device | str = "cpu"
) -> tuple[Evaluator, dict[str, Any], dict[str, Tensor]]:
    """The evaluator in eval mode, the file's `about`, and its word table tensors (official kind).

    corpus: digest of the corpus to be judged. A self-trained evaluator of another corpus is an error.
    """
    tensors, about = read_tensors(path)
    if "build" not in about or "normaliser.mean" not in tensors:
        raise InputError(
            "not an evaluator file of this suite", where=path, fix="run the train-evaluator rule"
        )
    if corpus is not None and about["label"] == SELF_TRAINED and about["corpus"] != corpus:
        raise InputError(
            f"trained on corpus {about['corpus']}, asked to judge corpus {corpus}",
            where=path,
            field="corpus",
            fix="train an evaluator on this corpus, or pass --any-corpus if you mean it",
        )
    normaliser = Normaliser(tensors.pop("normaliser.mean"), tensors.pop("normaliser.std"))
    extra = {name: tensors.pop(name) for name in list(tensors) if name.startswith("words.")}
    build = dict(about["build"])
    evaluator = Evaluator(Widths(**build.pop("widths")), normaliser, **build)
    load_into(evaluator, tensors, path)
    return evaluator.to(device).eval(), about, extra
