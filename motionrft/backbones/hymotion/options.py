"""The `network:` section of HY-Motion."""

from __future__ import annotations

from dataclasses import dataclass

from motionrft.backbones.hymotion.frame_rate import DATA_FPS
from motionrft.errors import InputError
from motionrft.options import must_fit


@dataclass(frozen=True)
class HYMotionOptions:
    """width, heads, mlp_ratio and layers (a third of them double blocks) are the MMDiT's.

    train_frames  longest motion in model frames, where text positions begin
    fps           of the model
    band          seconds a frame sees to either side
    time_factor   of t, before its sinusoid
    joints        201 numbers a frame instead of 135
    drop          how often training hides the text
    principal     [tokens, width]: x is the principal components of the training motions (principal.py beside the
                  families), dealt out to so many tokens, instead of frames
    clean         the network's output is the clean motion, from which the velocity follows (`velocity_of_clean`)
    """

    width: int
    heads: int
    layers: int
    mlp_ratio: float = 4.0
    train_frames: int = 360
    fps: int = 30
    band: float = 2.0
    time_factor: float = 1000.0
    joints: bool = True
    drop: float = 0.1
    principal: tuple[int, int] | None = None
    clean: bool = False

    def __post_init__(self) -> None:
        if self.principal and (self.joints or self.fps != DATA_FPS):
            raise InputError(
                "components are those of the corpus's own rotations and frame rate",
                field="network.principal",
                fix=f"set joints to false and fps to {DATA_FPS}",
            )
        even = self.width % (2 * self.heads) == 0
        must_fit(self, "network", {"heads": (even, f"a divisor of half the width ({self.width})")})
