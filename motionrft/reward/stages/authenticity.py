"""Stage 3, real against generated: L_auth, the cross-entropy of two logits (MotionRFT section III-C)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from motionrft.errors import InputError
from motionrft.metrics.classification import authenticity
from motionrft.reward.branch_stage import BranchStage, TaskItems
from motionrft.reward.data.labelled import LabelledMotions
from motionrft.reward.data.official import official_generated
from motionrft.reward.data.real_and_generated import authenticity_items, with_real
from motionrft.reward.rules import Rules
from motionrft.reward.stage import DataSources, Items


class AuthenticityStage(BranchStage):
    """Logits [real, generated]; both classes weigh one half."""

    outputs = 2
    pairs = False

    def items(self, data: LabelledMotions, split: str, rules: Rules) -> TaskItems:
        """Single motions."""
        table = data.motions.reset_index(names="motion")
        table = table[table["representation"].isin(rules.authenticity_representations)]
        return TaskItems(data, table, ("motion",), split, rules.authenticity_views)

    def losses(
        self, outputs: list[Tensor], labels: Tensor, class_weights: tuple[float, float]
    ) -> dict[str, Tensor]:
        """L_auth, and the share of motions that are told right."""
        (logits,) = outputs
        accuracy = (logits.argmax(dim=1) == labels).float().mean()
        weights = logits.new_tensor(class_weights)[labels]
        losses = F.cross_entropy(logits, labels, reduction="none")
        return {"loss": (weights * losses).mean(), "accuracy": accuracy}

    def score(self, outputs: Tensor, labels: Tensor) -> float:
        """Balanced accuracy."""
        return authenticity(outputs[:, 0], labels)["balanced_accuracy"]

    def class_weights(self, items: TaskItems, rules: Rules) -> tuple[float, float]:
        """By the rules, from the share of generated motions; data of one class are an `InputError`."""
        generated = float(items.generated.mean())
        if generated in (0.0, 1.0):
            raise InputError(
                "all motions are of one class", where=items.data.folder, fix="make the data again"
            )
        return rules.class_weights(generated)

    def made_data(self, sources: DataSources) -> tuple[Items, dict[str, Any]]:
        """Generated motions and the real ones of their captions."""
        if not sources.samples:
            raise InputError(
                "missing",
                where="reward-data",
                field="--samples",
                fix="pass samples of pre-trained backbones",
            )
        items = authenticity_items(sources.store, sources.samples, sources.held_out)
        return items, sources.about("real and generated")

    def given_data(
        self, sources: DataSources, files: Sequence[Path]
    ) -> tuple[Items, dict[str, Any]]:
        """Released generated motions and all real clips of the corpus."""
        about = {"labels": "real and generated", "source": [path.name for path in files]}
        generated = official_generated(files, sources.held_out)
        return with_real(sources.store, generated), about


STAGE = AuthenticityStage()
