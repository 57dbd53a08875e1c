"""`kind: toy`: a seeded procedural corpus: sixteen actions x continuous parameters, with captions that
say what is in the clip (side, speed, direction, count). The same configuration gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

from motionrft.corpus.kinds.toy.actions import ACTIONS, FPS, GESTURES
from motionrft.corpus.kinds.toy.draw import Draw
from motionrft.corpus.kinds.toy.puppet import Pose, joints, stand
from motionrft.corpus.kinds.toy.split import compositional
from motionrft.corpus.report import Report
from motionrft.corpus.splits import ordered_splits
from motionrft.corpus.store import Clip
from motionrft.errors import InputError

__all__ = ["CORPUS", "FPS", "make_clip"]
WHO = ("a person", "someone", "a man", "the figure")
# how far angles wander, in radians: flexion, abduction and elbow of either arm; pitch, roll and twist of the torso
WANDER = np.array([0.08, 0.05, 0.08] * 2 + [0.04, 0.025, 0.04])


def _style(draw: Draw, pose: Pose, amount: float) -> None:
    """Slow random wander on arms and torso: no two clips of an action are alike."""

    drawn = [
        (draw.rng.standard_normal(draw.frames + 80), draw.rng.standard_normal()) for _ in WANDER
    ]
    steps, levels = map(np.stack, zip(*drawn, strict=True))
    smooth = gaussian_filter1d(steps, 9)[:, 40:-40] / 0.18
    wander = iter(amount * WANDER[:, None] * (smooth + levels[:, None]))
    for arm in pose.arms.values():
        arm.flexion = arm.flexion + next(wander)
        arm.abduction = np.maximum(arm.abduction + next(wander), -0.3)
        arm.elbow = np.maximum(arm.elbow + next(wander), 0.0)
    pose.pitch = pose.pitch + next(wander)
    pose.roll = pose.roll + next(wander)
    pose.twist = pose.twist + next(wander)


def _captions(rng: np.random.Generator, phrases: list[str]) -> list[str]:
    """One sentence a phrase, each with its own subject; double spaces of absent adverbs removed."""
    return [
        " ".join(f"{rng.choice(WHO)} {phrase}".split()).replace(" ,", ",") + "."
        for phrase in phrases
    ]


def make_clip(index: int, settings: dict[str, Any]) -> tuple[np.ndarray, list[str], str]:
    """Clip `index`: joints [T, 22, 3], its captions, its action. A pure function of settings and index."""
    rng = np.random.default_rng([int(settings.get("seed", 0)), index])
    names = list(ACTIONS)
    weights = np.array([ACTIONS[name][1] for name in names])
    name = str(rng.choice(names, p=weights / weights.sum()))
    shortest, longest = settings.get("frames", [41, 121])
    draw = Draw(
        rng,
        int(rng.integers(shortest, longest + 1)),
        float(rng.uniform(0.88, 1.12)),
        int(rng.integers(3)),
    )
    pose = stand(draw.frames, draw.size)
    phrases = ACTIONS[name][0](draw, pose)
    if name == "walk" and rng.uniform() < float(settings.get("compound", 0.3)):
        gesture, _ = GESTURES[int(rng.integers(len(GESTURES)))]
        also = gesture(draw, pose)
        phrases = [f"{first} and {second}" for first, second in zip(phrases, also, strict=True)]
    _style(draw, pose, float(settings.get("style_noise", 1.0)))
    turned = rng.uniform(-np.pi, np.pi)
    points = joints(pose, draw.size)
    c, s = np.cos(turned), np.sin(turned)
    points = points @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    return points.astype(np.float32), _captions(rng, phrases), name


def CORPUS(settings: dict[str, Any], where: str, report: Report) -> Iterator[Clip]:  # noqa: N802
    """The clips of a `corpus:` section with keys clips, seed, frames [min, max], style_noise, compound, splits, split."""
    total = int(settings["clips"])
    splits = settings.get("splits", {"train": 0.75, "val": 0.09, "test": 0.16})
    shortest, longest = settings.get("frames", [41, 121])
    if not 4 <= shortest <= longest <= 197:
        raise InputError(
            f"{[shortest, longest]} is not a range within 4…197",
            where=where,
            field="corpus.frames",
            fix="for example [41, 121]",
        )
    clips = _clips(settings, ordered_splits(total, splits))
    if settings.get("split", "random") == "random":
        yield from clips  # nothing generated is ever left out
        return
    divided, held_out = compositional(list(clips), splits, int(settings.get("seed", 0)))
    pairs = ", ".join(f"{action} + {modifier}" for action, modifier in held_out)
    report.seen.append(("in the test split alone", pairs))
    yield from divided


def _clips(settings: dict[str, Any], splits: list[str]) -> Iterator[Clip]:
    for index, split in enumerate(splits):
        points, captions, action = make_clip(index, settings)
        yield Clip(f"toy_{index:05d}", points, captions, split, source=f"toy:{action}")
