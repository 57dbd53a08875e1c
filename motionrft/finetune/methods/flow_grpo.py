"""Flow-GRPO (arXiv 2505.05470): an ODE sampler turned into an SDE of the same marginals, and policy gradients on it."""

from __future__ import annotations

from dataclasses import dataclass

from motionrft.diffusion.noised import noised
from motionrft.diffusion.table import StepTable
from motionrft.errors import InputError
from motionrft.finetune.method import require
from motionrft.finetune.policy_gradient import PolicyGradient


@dataclass(frozen=True)
class FlowGRPO(PolicyGradient):
    """noise: how much of it the SDE draws (`motionrft.diffusion.noised`): a of a flow, eta of DDIM. Models are
    evaluated on the ODE itself. The KL to the pre-trained model (section 4.2) has the weight `kl` of the settings.
    `least_noise` is below what the SDE of a flow of 50 steps draws: it is for a DDIM that ends without noise."""

    noise: float = 0.7
    least_noise: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.noise > 0, f"{self.noise} draws nothing", "noise", "use more than 0")

    def check(self, table: StepTable) -> None:
        if table.stochastic:
            raise InputError(
                "the sampler draws noise already",
                where="method",
                field="family",
                fix="use ddpo there",
            )
        super().check(table)

    def stochastic(self, table: StepTable) -> StepTable:
        return noised(table, self.noise)


METHOD = FlowGRPO
