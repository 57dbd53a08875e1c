"""The `network:` section of MotionLCM: MLD's, and the distillation it is trained by."""

from __future__ import annotations

from dataclasses import dataclass

from motionrft.backbones.mld.options import LatentOptions


@dataclass(frozen=True)
class Distillation:
    """Consistency distillation. Defaults are MotionLCM v1's.

    solver_steps  DDIM steps of the teacher's grid
    guidance      range that the guidance weight w is drawn from
    huber         c of the pseudo-Huber loss
    ema           decay of the target network
    """

    solver_steps: int = 50
    guidance: tuple[float, float] = (5.0, 15.0)
    huber: float = 0.001
    ema: float = 0.95


@dataclass(frozen=True)
class MotionLCMOptions(LatentOptions):
    """As `LatentOptions`; `guidance_width` must be given."""

    distillation: Distillation = Distillation()
