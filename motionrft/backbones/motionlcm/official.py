"""MotionLCM's official files: MLD's layout, with the guidance embedding among the denoiser's weights."""

from motionrft.backbones.mld.official import check_text, export, load

__all__ = ["check_text", "export", "load"]
