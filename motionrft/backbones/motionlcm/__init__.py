"""MotionLCM (v1, v2): a latent consistency model of one to four steps."""

from motionrft.backbones.motionlcm.model import MotionLCM

BACKBONE = MotionLCM
