"""HY-Motion 1.0 and 1.0-Lite (arXiv 2512.23464): flow matching on body rotations."""

from motionrft.backbones.hymotion.model import HYMotion

BACKBONE = HYMotion
