"""What the page holds beside tables: all that a run has, or what can be kept with the documentation."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from PIL import Image

from motionrft.motion.skeleton import SMPL_22
from motionrft.player.page import embedded
from motionrft.player.stick_figure import player_data
from motionrft.reporting.page.jobs import worth_reading
from motionrft.reporting.page.pictures import pictures
from motionrft.reporting.page.player import players
from motionrft.reporting.records import Records
from motionrft.reporting.stored import OWN, without_paths

# corpora whose recorded motions may be passed on: made up, or free for all uses
FREE = ("toy", "humanml3d-cmu")
# figures of motions, which the player shows too
MOVING = ("motions", "strips")
# bytes of the player's motions, and colours of a picture, in a page that is kept
MOTIONS, COLOURS = 500_000, 48


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
    the machine (logs, paths), no recorded motions but those of free corpora, and no motions at all of a folder of one's own."""
    kind, backbone = records.run["corpus"]["kind"], records.most_compared()
    shown = "no motions" if kind in OWN else "fewer sentences"
    note = (
        f"A shortened report: {shown}, the figures of {backbone} alone, no logs. "
        "The run's own has all of them."
    )
    if kind not in FREE:
        note += " The licence of the recorded motions does not let them stand here."
    if kind in OWN:
        motions = embedded(player_data(SMPL_22, SMPL_22.fps, []))
    else:
        motions = _few_motions(records, recorded=kind in FREE)
    return Contents(
        note,
        list(_light_pictures(records, backbone)),
        motions,
        [],
        without_paths(records.run),
    )


def _few_motions(records: Records, recorded: bool) -> str:
    """As many sentences, then as many models, as there is room for: JSON, as `players` gives it."""
    motions = ""
    for prompts, pair in ((4, False), (2, False), (1, False), (1, True)):
        motions = embedded(players(records, prompts, bvh=False, recorded=recorded, pair=pair))
        if len(motions) <= MOTIONS:
            break
    return motions


def _light_pictures(records: Records, backbone: str) -> Iterator[dict[str, Any]]:
    for picture in pictures(records.folder / "figures", few_colours):
        parts = [part for part in picture["parts"] if part["backbone"] in (backbone, "")]
        if parts and picture["name"] not in MOVING:
            yield picture | {"parts": parts}
