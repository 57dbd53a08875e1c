"""What MotionDiffuse's released code does otherwise than its paper, each a function that stands in for a sound one.

`attention: full_official` reproduces files that were trained with it; numbers of theirs are pinned by reference
records.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

PENALTY = -100000.0


def full_masked_by_query(
    q: Tensor, k: Tensor, v: Tensor, valid: Tensor | None, dropout: float
) -> Tensor:
    """`blocks.full` as the released `no_eff` layer has it (`models/transformer.py`, TemporalSelfAttention).

    Its penalty lies on the query axis, where the softmax over keys cancels it but for rounding, so that padding
    takes part in every frame.
    """
    logits = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
    if valid is not None:
        logits = logits + (~valid)[:, None, :, None] * PENALTY
    return F.dropout(logits.softmax(dim=-1), dropout) @ v
