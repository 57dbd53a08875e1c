"""MLD and MLD++: diffusion over the latents of a motion VAE."""

from motionrft.backbones.mld.model import MLD

BACKBONE = MLD
