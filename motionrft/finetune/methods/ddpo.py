"""DDPO (arXiv 2305.13301): policy gradients with importance ratios on samplers that draw noise at their steps."""

from __future__ import annotations

from motionrft.finetune.policy_gradient import PolicyGradient


class DDPO(PolicyGradient):
    """DDPO-IS (section 4.3): the sampler's own noise is the policy's, `least_noise` of it at least."""


METHOD = DDPO
