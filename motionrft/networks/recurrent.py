"""The last states of a bidirectional GRU over ragged sequences (Guo et al.'s text and motion encoders)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from motionrft.errors import InputError


def final_states(gru: nn.GRU, start: Tensor, sequence: Tensor, lengths: Tensor) -> Tensor:
    """Last states of both directions [B, 2 hidden] after sequence [B, L, width] of lengths [B] >= 1, begun at
    `start` [2, 1, hidden]; what lies after a length is ignored."""
    if int(lengths.min()) < 1:
        raise InputError(
            f"sequence {int(lengths.argmin())} has no token",
            field="lengths",
            fix="motions need at least one token of four frames and captions one word",
        )
    # the GRU reads packed rows only, so padding costs and changes nothing
    packed = pack_padded_sequence(sequence, lengths.cpu(), batch_first=True, enforce_sorted=False)
    _, final = gru(packed, start.expand(-1, len(sequence), -1).contiguous())
    return torch.cat([final[0], final[1]], dim=-1)
