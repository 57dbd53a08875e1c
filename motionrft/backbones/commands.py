"""Commands of this room."""

from __future__ import annotations

import argparse


def add_commands(stages: argparse._SubParsersAction) -> None:
    del stages
