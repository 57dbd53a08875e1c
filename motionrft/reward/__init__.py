"""MotionReward: one network for three representations, the stages that train it, the terms it sums."""
