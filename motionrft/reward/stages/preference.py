"""Stage 2, what people prefer: L_pref = -log sigmoid(h(better) - h(worse)) over pairs (MotionRFT section III-C)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from motionrft.metrics.classification import preference
from motionrft.reward.branch_stage import BranchStage, TaskItems
from motionrft.reward.data.labelled import LabelledMotions
from motionrft.reward.data.official import official_pairs
from motionrft.reward.data.pair_table import TABLES, table_pairs
from motionrft.reward.data.pairs import corruption_pairs, generated_pairs
from motionrft.reward.losses import preference_loss
from motionrft.reward.rules import Rules
from motionrft.reward.stage import DataSources, Items


class PreferenceStage(BranchStage):
    """One score a motion, of which pairs fix the differences (Bradley-Terry)."""

    outputs = 1
    pairs = True

    def items(self, data: LabelledMotions, split: str, rules: Rules) -> TaskItems:
        """Pairs (better, worse)."""
        return TaskItems(data, data.pairs, ("better", "worse"), split, rules.pair_views)

    def losses(
        self, outputs: list[Tensor], labels: Tensor, class_weights: tuple[float, float]
    ) -> dict[str, Tensor]:
        """L_pref, and the share of pairs that are scored in their order."""
        better, worse = (scores[:, 0] for scores in outputs)
        accuracy = (better > worse).float().mean()
        return {"loss": preference_loss(better, worse), "accuracy": accuracy}

    def score(self, outputs: Tensor, labels: Tensor) -> float:
        """Accuracy of pairs."""
        return preference(outputs[:, 0, 0], outputs[:, 1, 0])["accuracy"]

    def made_data(self, sources: DataSources) -> tuple[Items, dict[str, Any]]:
        """Pairs of a clip and its damaged copy (`clips` of them), and of a real and a generated motion."""

        def pairs() -> Items:
            clips = int(sources.section.get("clips", 0))
            yield from corruption_pairs(sources.store, clips, sources.seed)
            yield from generated_pairs(sources.store, sources.samples)

        return pairs(), sources.about("graded corruptions of real clips")

    def given_data(
        self, sources: DataSources, files: Sequence[Path]
    ) -> tuple[Items, dict[str, Any]]:
        """Pairs with human labels: released files (.pth), or tables (`reward/data/pair_table.py`)."""
        tables = [path for path in files if path.suffix in TABLES]
        released = [path for path in files if path.suffix not in TABLES]

        def pairs() -> Items:
            yield from official_pairs(released)
            if tables:
                yield from table_pairs(sources.store, tables, sources.seed)

        return pairs(), {"labels": "human", "source": [path.name for path in files]}


STAGE = PreferenceStage()
