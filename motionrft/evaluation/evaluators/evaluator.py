"""The judge: embeds motions and captions in one space, and says whose judgement it is.

The official T2M or ACMDM networks read GloVe words; the suite's own evaluator, the same networks
trained where no official ones exist, and HY-Motion's (`spm.py`) read the token states of a text
cache. Its label goes with every number, since scores of different evaluators are not comparable.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motionrft.checkpoints import load_into
from motionrft.corpus.store import FeatureStore
from motionrft.errors import InputError
from motionrft.evaluation.evaluators.embedding import Evaluator
from motionrft.evaluation.evaluators.spm import SPM
from motionrft.evaluation.evaluators.t2m import UNIT, MotionEncoder, MovementEncoder, TextEncoder
from motionrft.files import read_tensors, write_tensors
from motionrft.motion.normaliser import Normaliser
from motionrft.reward.network import NetworkSettings
from motionrft.text.features import TextCache

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


class TextMotionMatch(Evaluator):
    """Guo et al.'s networks, on kinematic features (`channels` of them) and words."""

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
        super().__init__(normaliser, max_frames)
        self.reads, self.width = channels, widths.embedding
        self.channels = CHANNELS[channels](len(normaliser.mean))
        self.movement_encoder = MovementEncoder(
            self.channels.stop, widths.movement_hidden, widths.movement
        )
        self.motion_encoder = MotionEncoder(widths.movement, widths.motion_hidden, widths.embedding)
        self.text_encoder = TextEncoder(word, pos, widths.text_hidden, widths.embedding)

    def encode_motions(self, features: Tensor, lengths: Tensor) -> Tensor:
        movements = self.movement_encoder(features[..., self.channels])
        return self.motion_encoder(movements, lengths // UNIT)

    def encode_texts(self, words: Tensor, pos: Tensor | None, lengths: Tensor) -> Tensor:
        return self.text_encoder(words, pos, lengths)


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
    """The evaluator in eval mode, the file's `about`, and what else it holds (`words.…`, `clip.…`, `lengths.…`).

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
    extra = {
        name: tensors.pop(name)
        for name in list(tensors)
        if name.startswith(("words.", "clip.", "lengths."))
    }
    build = dict(about["build"])
    evaluator: Evaluator
    if "spm" in build:
        evaluator = SPM(NetworkSettings(**build["spm"]), normaliser)
    else:
        evaluator = TextMotionMatch(Widths(**build.pop("widths")), normaliser, **build)
    load_into(evaluator, tensors, path)
    return evaluator.to(device).eval(), about, extra
