"""MotionDiffuse (Zhang et al., 2022)."""

from motionrft.backbones.motiondiffuse.model import MotionDiffuse

BACKBONE = MotionDiffuse
