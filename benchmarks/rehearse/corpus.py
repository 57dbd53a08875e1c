"""A HumanML3D folder of the official size: names, splits, captions and lengths as many as there, motions of puppets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from motionrft.corpus.kinds.toy import make_clip
from motionrft.motion.representation import KINEMATIC, representation

BODIES = 48  # puppets whose motions all clips are parts of
VERBS = ("walks", "runs", "jumps", "turns", "waves", "sits", "kneels", "dances")
MANNERS = ("slowly", "quickly", "in a circle", "to the left", "to the right", "backwards")


@dataclass(frozen=True)
class Size:
    """clips of each split, captions in all and how many of them are distinct. Half of the clips are mirrored."""

    train: int
    val: int
    test: int
    captions: int
    distinct: int

    @property
    def clips(self) -> int:
        return self.train + self.val + self.test


OFFICIAL = Size(23_384, 1_460, 4_384, 93_451, 72_000)
TINY = Size(96, 48, 48, 600, 300)


def caption(number: int) -> str:
    """Some fourteen words, another for each number."""
    verb, rest = VERBS[number % len(VERBS)], number // len(VERBS)
    manner, rest = MANNERS[rest % len(MANNERS)], rest // len(MANNERS)
    return f"a person {verb} {manner} and then does the thing that is numbered {rest}"


def line(text: str) -> str:
    """A line of a caption file: text, its words with tags, and no part of the clip."""
    words = " ".join(f"{word}/{'VERB' if word in VERBS else 'NOUN'}" for word in text.split())
    return f"{text}#{words}#0.0#0.0"


def write_corpus(folder: Path, size: Size) -> None:
    """The folder as its authors' scripts leave it: new_joint_vecs, texts, split files, Mean.npy, Std.npy."""
    bodies = [features(number) for number in range(BODIES)]
    for name in ("new_joint_vecs", "texts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    every = np.concatenate(bodies)
    np.save(folder / "Mean.npy", every.mean(0))
    np.save(folder / "Std.npy", every.std(0).clip(1e-3))
    rng = np.random.default_rng(0)
    half = size.clips // 2
    names = [f"{number:06}" for number in range(half)]
    names += [f"M{name}" for name in names[: size.clips - half]]
    # a clip and its mirrored twin are of one split, as there
    order = np.argsort(
        np.concatenate([np.arange(half), np.arange(size.clips - half)]), kind="stable"
    )
    begin = 0
    for split, count in (("train", size.train), ("val", size.val), ("test", size.test)):
        rows = order[begin : begin + count]
        (folder / f"{split}.txt").write_text("\n".join(names[row] for row in rows) + "\n")
        begin += count
    (folder / "all.txt").write_text("\n".join(names) + "\n")
    most, number = divmod(size.captions, size.clips), 0
    for row, name in enumerate(names):
        frames = int(rng.integers(40, 200))
        np.save(folder / "new_joint_vecs" / f"{name}.npy", bodies[row % BODIES][:frames])
        count = most[0] + (row < most[1])
        texts = [line(caption((number + k) % size.distinct)) for k in range(count)]
        (folder / "texts" / f"{name}.txt").write_text("\n".join(texts) + "\n")
        number += count


def features(number: int) -> np.ndarray:
    """[199, 263] official features of a puppet's motion, repeated if it is shorter."""
    joints = make_clip(number, {"seed": 0, "frames": [190, 197]})[0]
    points = torch.from_numpy(joints)[None]
    encoded, _ = representation(KINEMATIC).encode(points, torch.tensor([len(joints)]))  # type: ignore[attr-defined]
    values = encoded[0].numpy()
    return np.concatenate([values, values])[:199].astype(np.float32)
