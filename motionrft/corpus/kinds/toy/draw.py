"""What is drawn for one clip, and the courses over time that actions are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motionrft.corpus.kinds.toy.puppet import SIDES, smoothstep

COUNTS = {1: "once", 2: "twice", 3: "three times"}
SPEEDS = ("slowly", "", "quickly")


@dataclass
class Draw:
    """What is drawn for one clip: its length, body size, tempo, and the generator for everything else."""

    rng: np.random.Generator
    frames: int
    size: float
    speed: int  # index into SPEEDS

    def tempo(self) -> float:
        """0.72 slow, 1 normal, 1.4 fast, each with some spread, drawn anew at every call."""
        return (0.72, 1.0, 1.4)[self.speed] * self.rng.uniform(0.92, 1.08)

    @property
    def adverb(self) -> str:
        return SPEEDS[self.speed]

    def side(self) -> str:
        return str(self.rng.choice(list(SIDES)))

    def count(self, most: int = 3) -> int:
        return int(self.rng.integers(1, most + 1))

    def pulses(self, count: int, share: float = 0.8) -> np.ndarray:
        """[T] in 0…1: `count` smooth pulses spread over `share` of the clip, rest before and after."""
        begin = self.rng.uniform(0.3, 0.7) * (1 - share) * self.frames
        u = (np.arange(self.frames) - begin) / (share * self.frames) * count
        inside = (u >= 0) & (u <= count)
        return np.where(inside, np.sin(np.pi * (u % 1.0)) ** 2, 0.0)

    def plateau(self, ramp: float = 0.25) -> np.ndarray:
        """[T] in 0…1: rises, stays, falls."""
        u = np.arange(self.frames) / (self.frames - 1)
        plateau: np.ndarray = smoothstep(u / ramp) * smoothstep((1 - u) / ramp)
        return plateau
