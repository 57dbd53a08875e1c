"""Building blocks that backbones, reward and evaluators share: attention, transformer, recurrence, positions."""
