"""ACMDM (arXiv 2505.19377): flow matching on joint positions."""

from motionrft.backbones.acmdm.model import ACMDM

BACKBONE = ACMDM
