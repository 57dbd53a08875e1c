"""The places where a run of the released code does something else than this suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from motionrft.diffusion.table import StepTable
from motionrft.finetune.batch import PromptBatch
from motionrft.finetune.objective import Reward
from motionrft.finetune.reward_timestep import Level, reward_levels
from motionrft.reward.motion_reward import MotionReward


def evaluation_mode(backbone: nn.Module, trained: Sequence[Tensor]) -> None:
    """No dropout while the network samples and learns."""
    backbone.eval()


def frozen(reward: MotionReward) -> None:
    """A reward is loaded frozen and in eval mode, and stays so."""


def same_for_every_batch(reward: Reward, batch: PromptBatch) -> Reward:
    """Embeddings are means: a motion's reward is one number."""
    return reward


@dataclass(frozen=True)
class Hooks:
    """What this suite does at each of them; `released.hooks` replaces what a run's switches name.

    network_mode   (backbone, trained parameters): train or eval mode
    reward_state   (reward): changes the loaded reward in place
    batch_reward   (reward, batch): the reward that scores that batch
    levels         (table, the reward's alphas, max_t, rescale): its noise levels of x_0 … x_T
    """

    network_mode: Callable[[nn.Module, Sequence[Tensor]], None] = evaluation_mode
    reward_state: Callable[[MotionReward], None] = frozen
    batch_reward: Callable[[Reward, PromptBatch], Reward] = same_for_every_batch
    levels: Callable[[StepTable, Tensor, int, bool], list[Level]] = reward_levels
