"""Recorded or generated."""

from __future__ import annotations

from motionrft.reporting import published
from motionrft.reporting.cells import EMPTY
from motionrft.reporting.columns import AUTHENTICITY
from motionrft.reporting.records import Records
from motionrft.reporting.reward_scores import (
    REPRESENTATIONS,
    TITLES,
    labelled_table,
    reward_row,
    scores_of,
)
from motionrft.reporting.table import Table, TableFile


def authenticity(records: Records) -> Table:
    """Recorded or generated, on generators seen in training and on ones never seen (paper figure 8)."""
    labels = records.reward_labels.get("authenticity")
    rows = []
    for setting, title in (("test", "seen in training"), ("held_out", "held out")):
        for representation in (*REPRESENTATIONS, "all"):
            for model in ("MotionReward", "random", "length only"):
                paper = published.row("authenticity", group=representation, method="MotionReward")
                rows.append(
                    reward_row(
                        records,
                        (title, representation, TITLES.get(model, model)),
                        scores_of(
                            records,
                            table="authenticity",
                            model=model,
                            representation=representation,
                            setting=setting,
                        ),
                        AUTHENTICITY,
                        group=f"{title} {representation}",
                        reference=model != "MotionReward",
                        paper=paper if model == "MotionReward" and setting == "test" else EMPTY,
                    )
                )
    table = labelled_table(
        records,
        ("generators", "representation", "model"),
        AUTHENTICITY,
        rows,
        labels,
    )
    table.notes.append(
        "“length only” reads nothing but a motion's length: what it scores, the masks give away. Generated motions are "
        "the positive class."
    )
    if not records.reward.empty and not records.reward["setting"].eq("held_out").any():
        table.rows = [row for row in table.rows if row.labels[0] != "held out"]
        table.notes.append(
            "No generator was held out: that needs a run with two backbones or more (reward-data --held-out)."
        )
    return table


TABLE = TableFile(
    title="Recorded or generated",
    question="reward",
    source="paper figure 8",
    order=100,
    needs=("reward", "reward_labels"),
    build=authenticity,
)
