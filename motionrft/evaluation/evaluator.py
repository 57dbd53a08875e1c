"""What every evaluator does: motions and captions to points of one space, in batches that change nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn

from motionrft.corpus.dataset import UNIT
from motionrft.diffusion.casts import asking_for_gradients, copied_once
from motionrft.errors import InputError
from motionrft.evaluation.convert import Converter
from motionrft.motion.normaliser import Normaliser
from motionrft.motion.representation import KINEMATIC
from motionrft.text.features import TextCache
from motionrft.training.loop import Precision, autocast

# captions -> word vectors [B, L, D], part-of-speech one-hots [B, L, P] or None, lengths [B]
Reader = Callable[[Sequence[str]], tuple[Tensor, Tensor | None, Tensor]]


class Evaluator(nn.Module, ABC):
    """normaliser: statistics of the raw features it sees; max_frames: what longer padding is cut to.

    reads: which features those are; width: numbers an embedding has.
    """

    reads: str = KINEMATIC
    width: int

    def __init__(self, normaliser: Normaliser, max_frames: int):
        super().__init__()
        self.normaliser, self.max_frames = normaliser, max_frames

    def inputs(
        self, motions: Sequence[Tensor], converter: Converter, padded_to: int = 0
    ) -> list[Tensor]:
        """Raw features of the converter's representation -> the features this evaluator reads of the same
        motions, raw. padded_to: frames that joints are padded to before features are extracted, where
        the evaluator's features see their padding (ACMDM's); 0: none."""
        del padded_to
        return converter.kinematic_features(motions)

    @abstractmethod
    def encode_motions(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Normalised features [B, T, dim], lengths in frames [B] -> [B, width]. Differentiable."""

    @abstractmethod
    def encode_texts(self, words: Tensor, pos: Tensor | None, lengths: Tensor) -> Tensor:
        """What a `Reader` gives -> [B, width]."""

    def points(self, embeddings: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Embeddings as scores compare them. An evaluator whose embeddings are distributions takes their
        means, or draws with `generator`; for the others they are points already."""
        del generator
        return embeddings

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def _embedded(
        self, precision: Precision, encode: Callable[..., Tensor], *inputs: Tensor | None
    ) -> Tensor:
        """encode(*inputs) in the weights' own type, on the CPU. In bf16 they are cast once in a `copied_once` around."""
        weights = list(self.parameters())
        cast = weights if precision == "bf16" else []
        with autocast(precision, self.device), asking_for_gradients(cast):
            embedded = encode(*inputs)
        return embedded.to(weights[0].dtype).cpu()

    @torch.no_grad()
    def embed_texts(
        self,
        captions: Sequence[str],
        reader: Reader,
        batch_size: int = 512,
        precision: Precision = "fp32",
    ) -> Tensor:
        """[N, width] on the CPU. precision: of the network's products; embeddings are float32 in either."""
        parts = []
        with copied_once(self.device):
            for begin in range(0, len(captions), batch_size):
                words, pos, lengths = reader(captions[begin : begin + batch_size])
                tags = None if pos is None else pos.to(self.device)
                words = words.to(self.device)
                parts.append(self._embedded(precision, self.encode_texts, words, tags, lengths))
        return torch.cat(parts)

    @torch.no_grad()
    def embed_motions(
        self,
        motions: Sequence[Tensor],
        *,
        padding: Tensor | None = None,
        lengths: Sequence[int] | None = None,
        batch_size: int = 256,
        precision: Precision = "fp32",
    ) -> Tensor:
        """Raw features, N tensors [T_i, dim] -> [N, width] on the CPU, each as if it were alone.

        A motion with a NaN or infinite feature, or shorter than one token, has a NaN embedding: the
        caller counts it. `padding` [dim] is the raw value of padded frames; the default is the
        evaluator's mean, zero after normalisation. (MLD and its heirs pad with the mean of the
        training statistics, which the evaluator's differ from; the last token sees it.)
        `lengths` [N]: frames that count, where motions go on after them (MDM's padding).
        `precision`: of the network's products; embeddings are float32 in either.
        """
        result = torch.full((len(motions), self.width), float("nan"))
        counted = [len(motion) for motion in motions] if lengths is None else list(lengths)
        usable = [row for row in range(len(motions)) if counted[row] >= UNIT]
        usable.sort(key=lambda row: -counted[row])
        mean = self.normaliser.mean
        fill = mean if padding is None else padding
        # one buffer for all batches: fresh pages cost more than what is written into them
        buffer = torch.empty(0)
        with copied_once(self.device):
            for begin in range(0, len(usable), batch_size):
                rows = usable[begin : begin + batch_size]
                if motions[rows[0]].shape[1] != len(fill):
                    raise InputError(
                        f"features of width {motions[rows[0]].shape[1]}, this evaluator reads {len(fill)}",
                        where="evaluator",
                        fix="use an evaluator of this representation",
                    )
                kept = torch.tensor([min(counted[row], self.max_frames) for row in rows])
                # one spare token of padding makes a motion's last tokens independent of its batch
                frames = min(int(kept[0]) + UNIT, self.max_frames)
                size = len(rows) * frames * len(fill)
                if buffer.numel() < size:
                    buffer = torch.empty(size, dtype=fill.dtype)
                batch = buffer[:size].view(len(rows), frames, len(fill)).copy_(fill)
                for index, row in enumerate(rows):
                    known = motions[row][:frames]
                    batch[index, : len(known)] = known
                batch.sub_(mean).div_(self.normaliser.std)
                finite = batch.isfinite().flatten(1).all(1)
                for index, row in enumerate(rows):
                    if len(motions[row]) > frames:
                        finite[index] &= motions[row][frames:].isfinite().all()
                batch = batch.to(self.device)
                embedded = self._embedded(precision, self.encode_motions, batch, kept)
                result[rows] = torch.where(finite[:, None], embedded, torch.nan)
        return result


class OfficialEvaluator(NamedTuple):
    """A released evaluator: about: facts for the file's header (`build` and more); extra: tensors beside the network."""

    evaluator: Evaluator
    about: dict[str, Any]
    extra: dict[str, Tensor]


class EvaluatorKind(ABC):
    """What a drop-in of `motionrft/evaluation/evaluators` provides."""

    @abstractmethod
    def build(self, arguments: dict[str, Any], normaliser: Normaliser) -> Evaluator:
        """The network of `arguments`, the `build` section of an evaluator file."""

    @abstractmethod
    def read_official(
        self, settings: dict[str, Any], features: str | Path, text: str | Path | None, where: str
    ) -> OfficialEvaluator:
        """The released evaluator whose files the `evaluator:` section `settings` names. Prints what was read.

        features: feature store whose captions it will read; text: text cache, for evaluators that read one;
        where: the configuration that errors name. A file that is missing or does not fit is an `InputError`.
        """

    def train(
        self,
        settings: dict[str, Any],
        features: str | Path,
        text: TextCache,
        checkpoint: str | Path,
        device: torch.device | str,
        seed: int = 0,
    ) -> tuple[Evaluator, dict[str, Any], pd.DataFrame]:
        """The evaluator that `settings` describes, trained; its `about`, and the history. Resumes from `checkpoint`."""
        del features, text, checkpoint, device, seed
        raise InputError(
            f"evaluator {settings.get('network')!r} cannot be trained here",
            where="evaluator",
            field="checkpoint",
            fix="name the released file",
        )
