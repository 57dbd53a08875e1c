"""What the page holds beside tables: all that a run has, or what can be kept with the documentation."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from PIL import Image

from motionrft.player.page import embedded
from motionrft.reporting.page.jobs import worth_reading
from motionrft.reporting.page.pictures import pictures
from motionrft.reporting.page.player import players
from motionrft.reporting.records import Records
from motionrft.reporting.stored import without_paths

# corpora whose recorded motions may be passed on: made up, or free for all uses
FREE = ("toy", "humanml3d-cmu")
# figures of motions, which the player shows too
MOVING = ("motions", "strips")
# bytes of the player's motions, and colours of a picture, in a page that is kept
MOTIONS, COLOURS = 600_000, 48


@dataclass(frozen=True)
class Contents:
    """note: what the page lacks; pictures: as `pictures` gives them; players: JSON, as `players` gives it; logs:
    as `worth_reading` gives them; run: the configuration that is printed."""

    note: str
    pictures: list[dict[str, Any]]
    players: str
    logs: list[dict[str, str]]
    run: dict[str, Any]


Choice = Callable[[Records, pd.DataFrame], Contents]


def few_colours(picture: bytes) -> bytes:
    """A PNG with a palette, less than half as large."""
    small = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(COLOURS).save(small, "png", optimize=True)
    return small.getvalue()


def whole(records: Records, jobs: pd.DataFrame) -> Contents:
    """All that the run left."""
    drawn = list(pictures(records.folder / "figures"))
    return Contents(
        "", drawn, embedded(players(records)), worth_reading(records, jobs), records.run
    )


def kept(records: Records, jobs: pd.DataFrame) -> Contents:
    """About a megabyte: fewer sentences, no files to download, figures of one backbone in few colours; nothing that names
    the machine (logs, paths), and no recorded motions but those of free corpora."""
    free = records.run["corpus"]["kind"] in FREE
    for prompts in (4, 2, 1):
        motions = embedded(players(records, prompts, bvh=False, recorded=free))
        if len(motions) <= MOTIONS:
            break
    backbone = records.most_compared()
    note = (
        f"A shortened report: fewer sentences, the figures of {backbone} alone, no logs. "
        "The run's own has all of them."
    )
    if not free:
        note += " The licence of the recorded motions does not let them stand here."
    return Contents(
        note, list(_light_pictures(records, backbone)), motions, [], without_paths(records.run)
    )


def _light_pictures(records: Records, backbone: str) -> Iterator[dict[str, Any]]:
    for picture in pictures(records.folder / "figures", few_colours):
        parts = [part for part in picture["parts"] if part["backbone"] in (backbone, "")]
        if parts and picture["name"] not in MOVING:
            yield picture | {"parts": parts}
