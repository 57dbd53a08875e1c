"""The paper's tables by name, from whatever has finished."""

from __future__ import annotations

from collections.abc import Callable

from motionrft.reporting.records import Records
from motionrft.reporting.table import Table
from motionrft.reporting.tables.cost import compute_overhead, prompts
from motionrft.reporting.tables.generation import finetuning, generalisation, kit, sota
from motionrft.reporting.tables.reward import (
    authenticity,
    faithfulness,
    preference,
    real_motions,
    retrieval,
    self_refinement,
)
from motionrft.reporting.tables.reward_switches import reward_switches

# motionrft/workflow_plan.py keeps the same names for the workflow's targets
TABLES: dict[str, Callable[[Records], Table]] = {
    "finetuning": finetuning,
    "generalisation": generalisation,
    "sota": sota,
    "kit": kit,
    "prompts": prompts,
    "compute_overhead": compute_overhead,
    "retrieval": retrieval,
    "self_refinement": self_refinement,
    "preference": preference,
    "authenticity": authenticity,
    "real_motions": real_motions,
    "faithfulness": faithfulness,
    "reward_switches": reward_switches,
}
