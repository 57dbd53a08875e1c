"""Text-motion retrieval of the reward."""

from __future__ import annotations

from motionrft.reporting import published
from motionrft.reporting.cells import EMPTY
from motionrft.reporting.columns import RETRIEVAL
from motionrft.reporting.records import Records
from motionrft.reporting.reward_scores import (
    BINOMIAL,
    REPRESENTATIONS,
    TITLES,
    retrieval_scores,
    reward_row,
)
from motionrft.reporting.table import Table, TableFile


def retrieval(records: Records) -> Table:
    """Text-motion retrieval of the reward in three representations (paper table I)."""
    rows = []
    for representation in (*REPRESENTATIONS, "mean"):
        paper = published.row("retrieval_h3d", group=representation, method="MotionReward")
        for model in ("semantic", "random", "perfect"):
            rows.append(
                reward_row(
                    records,
                    (representation, TITLES[model]),
                    retrieval_scores(records, model, representation),
                    RETRIEVAL,
                    group=representation,
                    reference=model != "semantic",
                    paper=paper if model == "semantic" else EMPTY,
                )
            )
    verdict, why = published.reward_comparable(records.run)
    notes = [
        "Groups of 32 (of all where they are fewer), percent. " + BINOMIAL,
        "A perfect reward: recorded motions that share a caption cannot be told apart by it, so none can be "
        "expected to retrieve more than this from these captions.",
    ]
    heads = ("representation", "model")
    return Table(
        heads,
        RETRIEVAL,
        rows,
        notes,
        comparable=verdict,
        why=why,
    )


TABLE = TableFile(
    title="Text-motion retrieval of the reward",
    question="reward",
    source="paper table I",
    order=70,
    needs=("reward",),
    build=retrieval,
)
