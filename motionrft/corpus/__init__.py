"""Clips with captions: their kinds, the folder they lie in, their features, and batches of them."""
