"""Building blocks of backbones and reward alike: attention, skip transformer, positions."""
