"""Reward against updates."""

from __future__ import annotations

from typing import Any

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.records import Records
from motionrft.reporting.training_curves import batch_reward
from motionrft.reporting.training_curves import reward_curves as curves


def reward_curves(records: Records) -> dict[str, Any]:
    """Reward of the training batches against optimiser updates: mean and range over seeds (paper Fig. 10)."""
    frame = batch_reward(records.finetuning)
    return curves(records, frame, "update", "optimiser updates")


FIGURE = FigureFile(
    caption="Reward while fine-tuning",
    source="10",
    order=80,
    needs=("finetuning",),
    draw=reward_curves,
)
