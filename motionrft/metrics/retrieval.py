"""Text-motion retrieval both ways, in groups of 32 and against the full gallery (paper table I)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from motionrft.metrics.distances import check_pairs, cosine, grouped, hits, ranks
from motionrft.metrics.generation import GROUP

TOP = (1, 2, 3, 5, 10)
Distance = Callable[[Tensor, Tensor], Tensor]


def recall(
    queries: Tensor,
    gallery: Tensor,
    *,
    top: Sequence[int] = TOP,
    group: int | None = GROUP,
    distance: Distance = cosine,
) -> dict[str, float]:
    """R@k in percent, row i of the gallery being query i's own. `group=None`: the full gallery.

    Groups are consecutive and the incomplete last one is dropped.
    """
    check_pairs(queries, gallery)
    size = group or len(queries)
    closer, ties = ranks(distance(grouped(queries, size), grouped(gallery, size)))
    share = hits(closer, ties, top).mean(dim=(0, 1))
    return {f"R@{k}": 100.0 * float(value) for k, value in zip(top, share, strict=True)}


def recall_filled(
    queries: Tensor, gallery: Tensor, fill: Tensor, *, top: Sequence[int] = TOP, group: int = GROUP
) -> dict[str, float]:
    """R@k as MotionReward's table is computed: the last group is completed with the rows `fill`.

    Each group's value is rounded to three decimals before the unweighted mean over groups. A filled
    row can meet its own double (a tie), and counts again: both bias the score, so this form is kept
    for comparison only.
    """
    rows = torch.cat([torch.arange(len(queries)), fill])
    distances = cosine(grouped(queries[rows], group), grouped(gallery[rows], group))
    share = hits(*ranks(distances), top)
    percent = (100.0 * share.mean(dim=1)).round(decimals=3).mean(dim=0)
    return {f"R@{k}": float(value) for k, value in zip(top, percent, strict=True)}
