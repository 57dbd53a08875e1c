"""What recorded motions score."""

from __future__ import annotations

from motionrft.reporting.columns import value_columns
from motionrft.reporting.records import Records
from motionrft.reporting.reward_scores import REPRESENTATIONS, TITLES, reward_row, scores_of
from motionrft.reporting.table import Table, TableFile


def real_motions(records: Records) -> Table:
    """What recorded test motions score by dimension: the level that a fine-tuned model's scores are read against."""
    scored = records.reward[records.reward["table"].eq("reward")]
    columns = value_columns(scored["metric"])
    rows = []
    for representation in REPRESENTATIONS:
        for model in ("MotionReward", "random"):
            for setting in ("own caption", "another caption"):
                scores = scores_of(
                    records,
                    table="reward",
                    model=model,
                    representation=representation,
                    setting=setting,
                )
                labels = (representation, TITLES.get(model, model), setting)
                reference = model == "random"
                rows.append(
                    reward_row(
                        records, labels, scores, columns, group=representation, reference=reference
                    )
                )
    notes = [
        "Means over the recorded motions of the test split. Own caption: scored against their own caption and "
        "themselves as reference; another caption: against those of another clip, the floor of a reward. Preference "
        "and P(recorded) read the motion alone.",
    ]
    return Table(
        ("representation", "model", "scored against"),
        columns,
        rows,
        notes,
        ranked=False,
    )


TABLE = TableFile(
    title="What recorded motions score",
    question="reward",
    order=110,
    needs=("reward",),
    build=real_motions,
)
