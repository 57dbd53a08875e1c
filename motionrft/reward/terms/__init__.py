"""Terms of the reward beside those of its stages, a file each, found by name.

A term counts where a weight of its name stands under `reward.weights`, or under a method's `reward_weights`.
"""
