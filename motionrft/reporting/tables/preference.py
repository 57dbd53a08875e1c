"""Which of two motions is better."""

from __future__ import annotations

from motionrft.reporting import published
from motionrft.reporting.cells import EMPTY
from motionrft.reporting.columns import PREFERENCE
from motionrft.reporting.records import Records
from motionrft.reporting.reward_scores import (
    REPRESENTATIONS,
    TITLES,
    labelled_table,
    reward_row,
    scores_of,
)
from motionrft.reporting.table import Table, TableFile


def preference(records: Records) -> Table:
    """Which of two motions is better (paper table II)."""
    labels = records.reward_labels.get("preference")
    rows = []
    for representation in (*REPRESENTATIONS, "all"):
        for model in ("MotionReward", "random"):
            printed = published.row("preference", group=representation, method="MotionReward")
            rows.append(
                reward_row(
                    records,
                    (representation, "all", TITLES.get(model, model)),
                    scores_of(
                        records,
                        table="preference",
                        model=model,
                        representation=representation,
                        setting="all",
                    ),
                    PREFERENCE,
                    group=representation,
                    reference=model == "random",
                    paper=printed if model == "MotionReward" else EMPTY,
                )
            )
    frame = records.reward
    kinds = frame[
        frame["table"].eq("preference")
        & frame["model"].eq("MotionReward")
        & frame["setting"].ne("all")
    ]["setting"]
    for kind in kinds.unique():
        values = scores_of(
            records, table="preference", model="MotionReward", representation="all", setting=kind
        )
        rows.append(
            reward_row(
                records, ("all", kind, "MotionReward"), values, PREFERENCE, group="by kind of pair"
            )
        )
    return labelled_table(
        records,
        ("representation", "pairs", "model"),
        PREFERENCE,
        rows,
        labels,
    )


TABLE = TableFile(
    title="Which of two motions is better",
    question="reward",
    source="paper table II",
    order=90,
    needs=("reward", "reward_labels"),
    build=preference,
)
