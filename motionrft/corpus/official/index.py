"""HumanML3D's index.csv: which frames of which source motion each clip is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from motionrft.contents import refuse_stand_in
from motionrft.errors import InputError

COLUMNS = ("source_path", "start_frame", "end_frame", "new_name")


@dataclass(frozen=True)
class Segment:
    """One row of index.csv: frames begin to end of a source, after the subset's prefix is cut."""

    source: str
    begin: int
    end: int
    name: str

    @property
    def subset(self) -> str:
        return Path(self.source).parts[0]


def read_index(path: Path) -> list[Segment]:
    """index.csv, its sources relative to the data folder (`pose_data/KIT/3/x_poses.npy` becomes `KIT/3/x_poses`)."""
    refuse_stand_in(path, fix="copy the official file")
    try:
        table = pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(
            f"not a table ({error})", where=path, fix="copy the official file"
        ) from None
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise InputError(
            f"no column {missing[0]!r}", where=path, field=missing[0], fix="copy the official file"
        )
    segments = []
    for row, (source, begin, end, name) in enumerate(
        zip(*(table[column] for column in COLUMNS), strict=True), start=2
    ):
        parts = Path(str(source)).with_suffix("").parts
        if (
            "pose_data" not in parts
            or not str(begin).lstrip("-").isdigit()
            or not str(end).lstrip("-").isdigit()
        ):
            raise InputError(
                f"{source!r}, {begin!r}, {end!r}",
                where=f"{path}:{row}",
                field="source_path",
                fix="copy the official file",
            )
        inside = Path(*parts[parts.index("pose_data") + 1 :])
        segments.append(Segment(str(inside), int(begin), int(end), Path(str(name)).stem))
    return segments


def by_source(segments: list[Segment], names: Collection[str]) -> dict[str, list[Segment]]:
    """{source: its segments}, of those whose clip or its mirror image is among `names`, in the order of the table."""
    sources: dict[str, list[Segment]] = {}
    for segment in segments:
        if segment.name in names or f"M{segment.name}" in names:
            sources.setdefault(segment.source, []).append(segment)
    return sources
