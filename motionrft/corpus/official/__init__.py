"""The layout of HumanML3D and KIT on disk, read and written."""
