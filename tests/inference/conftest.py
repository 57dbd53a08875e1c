"""A tiny run for every test of this folder."""

from tests.tiny_run import model_file, reward_folder, run

__all__ = ["model_file", "reward_folder", "run"]
