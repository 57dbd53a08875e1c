"""The tiny corpus of the reward's tests."""

from tests.reward.conftest import corpus  # noqa: F401
