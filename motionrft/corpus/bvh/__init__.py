"""BVH files as clips: the format, joint maps, folders of them."""
