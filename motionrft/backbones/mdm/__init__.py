"""MDM, the motion diffusion model (Tevet et al., ICLR 2023)."""

from motionrft.backbones.mdm.model import MDM

BACKBONE = MDM
