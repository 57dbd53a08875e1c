"""Retrieval before and after self-refinement."""

from __future__ import annotations

from motionrft.reporting import published
from motionrft.reporting.cells import EMPTY
from motionrft.reporting.columns import RETRIEVAL
from motionrft.reporting.records import Records
from motionrft.reporting.reward_scores import (
    BINOMIAL,
    REPRESENTATIONS,
    retrieval_scores,
    reward_row,
)
from motionrft.reporting.table import Cell, Table, TableFile


def self_refinement(records: Records) -> Table:
    """Retrieval before and after self-refinement preference learning (EasyTune table 4)."""
    rows = []
    for representation in (*REPRESENTATIONS, "mean"):
        before = retrieval_scores(records, "semantic", representation)
        for model in ("semantic", "spl"):
            scores = retrieval_scores(records, model, representation)
            title = "ReAlign (baseline)" if model == "semantic" else "ReAlign + SPL"
            paper = published.row("retrieval_easytune", group="HumanML3D", method=title)
            entry = reward_row(
                records,
                (representation, "before" if model == "semantic" else "after"),
                scores,
                RETRIEVAL,
                group=representation,
                reference=model == "semantic",
                paper=paper if representation == "kinematic" else EMPTY,
                comparable=False,
            )
            if model == "spl":
                for column in RETRIEVAL:
                    cell = entry.cells[column.key]
                    if cell.mean is not None and column.key in before:
                        gain = column.gain(before[column.key][0], cell.mean)
                        entry.cells[column.key] = Cell(
                            cell.mean,
                            cell.half,
                            cell.count,
                            gain,
                            paper=cell.paper,
                            paper_half=cell.paper_half,
                        )
            rows.append(entry)
    notes = [
        "Groups of 32 (of all where they are fewer), percent. "
        + BINOMIAL
        + " In brackets the gain over before.",
        "The paper refines ReAlign, not MotionReward: its two rows show the size of the effect only.",
    ]
    if not records.run["reward"].get("stages", {}).get("spl"):
        notes.append("This run has no stage `reward.stages.spl`: add it to fill the rows “after”.")
    return Table(
        ("representation", "SPL"),
        RETRIEVAL,
        rows,
        notes,
        ranked=False,
        why="The paper refines another reward (ReAlign).",
    )


TABLE = TableFile(
    title="Self-refinement preference learning",
    question="reward",
    source="EasyTune table 4",
    order=80,
    needs=("reward",),
    build=self_refinement,
)
