"""Stages of the reward's training: `motionrft/reward/stages/<name>.py` defines `STAGE`, found by the file's name.

A stage is a `motionrft.reward.stage.Stage`; one that trains a branch on the semantic network is a
`motionrft.reward.branch_stage.BranchStage`. It is trained where `reward.stages.<name>` says how, and its file is
`reward/<name>.safetensors`. Importing this package loads no stage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motionrft import drop_ins

if TYPE_CHECKING:
    from motionrft.reward.stage import Stage


def names() -> list[str]:
    """All stages, sorted; none is imported."""
    return drop_ins.names(__name__)


def load(name: str, field: str = "reward.stages") -> Stage[Any]:
    """The stage of a name; an unknown one is an `InputError` about `field`."""
    stage: Stage[Any] = drop_ins.load(__name__, name, "stage of the reward", field).STAGE
    return stage
