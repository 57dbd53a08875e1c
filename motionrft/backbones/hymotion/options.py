"""The `network:` section of HY-Motion."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HYMotionOptions:
    """width, heads, mlp_ratio and layers (a third of them double blocks) are the MMDiT's.

    train_frames  longest motion in model frames, where text positions begin
    fps           of the model
    band          seconds a frame sees to either side
    time_factor   of t, before its sinusoid
    joints        201 numbers a frame instead of 135
    drop          how often training hides the text
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
    clean: bool = False
