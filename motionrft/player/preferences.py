"""A page on which a person says which of two motions is better, and that writes `pairs.csv`; no server, no network.

pairs.csv holds a row a decided comparison: caption, winner_file, winner_index, loser_file, loser_index (rows of
samples files, from zero), rater, winner_digest, loser_digest (`file_digest` of the files).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from motionrft.files import digest
from motionrft.motion.skeleton import Skeleton
from motionrft.player.page import DRAWING, ROOM, STYLE, embedded, write_page
from motionrft.player.stick_figure import pack, player_data


@dataclass(frozen=True)
class Comparison:
    """Two motions of one caption. rows: of the two files; joints: [T, J, 3] each, in the skeleton's unit."""

    caption: str
    rows: tuple[int, int]
    joints: tuple[Tensor, Tensor]


def write_preferences(
    path: str | Path,
    files: tuple[tuple[str, str], tuple[str, str]],
    comparisons: Sequence[Comparison],
    skeleton: Skeleton,
    fps: float,
    *,
    seed: int = 0,
) -> None:
    """files: name and digest of the two samples files, which the page does not show. The order of the comparisons,
    and which file's motion stands at the left, are drawn from `seed`."""
    rng = np.random.default_rng([seed, 61])
    shown = [comparisons[place] for place in rng.permutation(len(comparisons))]
    left = rng.integers(2, size=len(shown)).tolist()
    pairs = [
        {
            "caption": each.caption,
            "rows": list(each.rows),
            "left": side,
            "motions": [pack(joints, skeleton) for joints in each.joints],
        }
        for each, side in zip(shown, left, strict=True)
    ]
    what = [list(files), [[pair["caption"], pair["rows"], pair["left"]] for pair in pairs]]
    body = player_data(skeleton, fps, [])
    del body["entries"]
    named = [{"name": name, "digest": content} for name, content in files]
    write_page(
        path,
        "preferences.html.j2",
        title="Which motion is better?",
        css=STYLE + (ROOM / "preferences.css").read_text(encoding="utf-8"),
        js=DRAWING + (ROOM / "preferences.js").read_text(encoding="utf-8"),
        comparisons=embedded({**body, "files": named, "pairs": pairs, "key": digest(what)}),
    )
