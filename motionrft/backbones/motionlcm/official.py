"""MotionLCM's official files: MLD's layout, with the guidance embedding among the denoiser's weights."""

from motionrft.backbones.mld.official import export, load

__all__ = ["export", "load"]
