"""Guo et al.'s text and motion encoders ("text_mot_match"), with the official parameter names.

A motion becomes one movement token a four frames (two strided convolutions), the tokens and the
words of a caption each go through a bidirectional GRU, and both land in one Euclidean space.
Embeddings are not normalised. Batches are ragged and keep the caller's order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from motionrft.corpus.dataset import UNIT  # frames a movement token: two convolutions of stride 2
from motionrft.evaluation.convert import Converter
from motionrft.evaluation.evaluator import Evaluator
from motionrft.motion import acmdm67
from motionrft.motion.normaliser import Normaliser
from motionrft.motion.representation import KINEMATIC
from motionrft.networks.recurrent import final_states

LEAK = 0.2
ALL_BUT_CONTACTS, FIRST_67 = "all but contacts", "first 67"


class MovementEncoder(nn.Module):
    """Features [B, T, channels] -> movement tokens [B, T // 4, out]. Token i sees frames 4i-3 … 4i+6."""

    def __init__(self, channels: int, hidden: int, out: int):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv1d(channels, hidden, kernel_size=4, stride=2, padding=1),
            nn.Dropout(0.2),
            nn.LeakyReLU(LEAK),
            nn.Conv1d(hidden, out, kernel_size=4, stride=2, padding=1),
            nn.Dropout(0.2),
            nn.LeakyReLU(LEAK),
        )
        self.out_net = nn.Linear(out, out)

    def forward(self, features: Tensor) -> Tensor:
        tokens: Tensor = self.out_net(self.main(features.transpose(1, 2)).transpose(1, 2))
        return tokens


class _Recurrent(nn.Module):
    """The shared trunk: linear, bidirectional GRU from a learned state, head on both final states."""

    def __init__(self, width: int, hidden: int, head: int, out: int):
        super().__init__()
        self.input_emb = nn.Linear(width, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True, bidirectional=True)
        self.output_net = nn.Sequential(
            nn.Linear(2 * hidden, head),
            nn.LayerNorm(head),
            nn.LeakyReLU(LEAK),
            nn.Linear(head, out),
        )
        self.hidden = nn.Parameter(torch.randn(2, 1, hidden))

    def encode(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """sequence [B, L, width], lengths [B] >= 1 -> [B, out]; what lies after a length is ignored."""
        final = final_states(self.gru, self.hidden, self.input_emb(sequence), lengths)
        embedding: Tensor = self.output_net(final)
        return embedding


class MotionEncoder(_Recurrent):
    """Movement tokens [B, L, width] and their number [B] -> [B, out]."""

    def __init__(self, width: int, hidden: int, out: int):
        super().__init__(width, hidden, hidden, out)

    def forward(self, movements: Tensor, lengths: Tensor) -> Tensor:
        return self.encode(movements, lengths)


class TextEncoder(_Recurrent):
    """Word vectors [B, L, word], part-of-speech one-hots [B, L, pos] and lengths [B] -> [B, out].

    `pos = 0` leaves the part-of-speech input out, for token states of a text encoder.
    """

    def __init__(self, word: int, pos: int, hidden: int, out: int):
        super().__init__(word, hidden, out, out)
        if pos:
            self.pos_emb = nn.Linear(pos, word)

    def forward(self, words: Tensor, pos: Tensor | None, lengths: Tensor) -> Tensor:
        return self.encode(words if pos is None else words + self.pos_emb(pos), lengths)


@dataclass(frozen=True)
class Widths:
    """Sizes of the three networks; the defaults are the official ones."""

    movement_hidden: int = 512
    movement: int = 512
    motion_hidden: int = 1024
    text_hidden: int = 512
    embedding: int = 512


class TextMotionMatch(Evaluator):
    """Guo et al.'s networks on words and kinematic features: all but the four contact labels of them, or ACMDM's
    67 of root and joint positions."""

    def __init__(
        self,
        widths: Widths,
        normaliser: Normaliser,
        *,
        word: int,
        pos: int = 0,
        channels: str = ALL_BUT_CONTACTS,
        max_frames: int = 196,
    ):
        super().__init__(normaliser, max_frames)
        self.width = widths.embedding
        self.reads = channels if channels == FIRST_67 else KINEMATIC
        self.channels = acmdm67.CHANNELS if channels == FIRST_67 else len(normaliser.mean) - 4
        self.movement_encoder = MovementEncoder(
            self.channels, widths.movement_hidden, widths.movement
        )
        self.motion_encoder = MotionEncoder(widths.movement, widths.motion_hidden, widths.embedding)
        self.text_encoder = TextEncoder(word, pos, widths.text_hidden, widths.embedding)

    def inputs(
        self, motions: Sequence[Tensor], converter: Converter, padded_to: int = 0
    ) -> list[Tensor]:
        if self.reads == FIRST_67:
            return converter.acmdm_features(motions, padded_to)
        return converter.kinematic_features(motions)

    def encode_motions(self, features: Tensor, lengths: Tensor) -> Tensor:
        movements = self.movement_encoder(features[..., : self.channels])
        embedding: Tensor = self.motion_encoder(movements, lengths // UNIT)
        return embedding

    def encode_texts(self, words: Tensor, pos: Tensor | None, lengths: Tensor) -> Tensor:
        embedding: Tensor = self.text_encoder(words, pos, lengths)
        return embedding
