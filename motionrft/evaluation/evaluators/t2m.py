"""Guo et al.'s text and motion encoders ("text_mot_match"), with the official parameter names.

A motion becomes one movement token a four frames (two strided convolutions), the tokens and the
words of a caption each go through a bidirectional GRU, and both land in one Euclidean space.
Embeddings are not normalised. Batches are ragged and keep the caller's order.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from motionrft.errors import InputError

UNIT = 4  # frames a movement token: two convolutions of stride 2
LEAK = 0.2


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
        return self.out_net(self.main(features.transpose(1, 2)).transpose(1, 2))


def final_states(gru: nn.GRU, start: Tensor, sequence: Tensor, lengths: Tensor) -> Tensor:
    """Last states of both directions [B, 2 hidden] after sequence [B, L, width] of lengths [B] >= 1, begun at
    `start` [2, 1, hidden]; what lies after a length is ignored."""
    if int(lengths.min()) < 1:
        raise InputError(
            f"sequence {int(lengths.argmin())} has no token",
            field="lengths",
            fix=f"motions need at least {UNIT} frames and captions one word",
        )
    # the GRU reads packed rows only, so padding costs and changes nothing
    packed = pack_padded_sequence(sequence, lengths.cpu(), batch_first=True, enforce_sorted=False)
    _, final = gru(packed, start.expand(-1, len(sequence), -1).contiguous())
    return torch.cat([final[0], final[1]], dim=-1)


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
        return self.output_net(final)


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
