"""What the reward learns from: real clips in three representations, and motions with labels."""
