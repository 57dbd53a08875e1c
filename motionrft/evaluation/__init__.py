"""Motions scored as the field does it: protocols, replications, evaluators, and what a reward is worth."""
