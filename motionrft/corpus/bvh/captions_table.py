"""The captions table of a folder: a text table with the columns clip and caption, one caption a row.

A comma inside a caption needs no quotes as long as the caption is the last column. The columns may be separated by
commas, semicolons or tabs.
"""

from __future__ import annotations

import csv
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from motionrft.contents import read_text
from motionrft.errors import InputError

SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True)
class Row:
    """One caption. clip: the table's name of the clip, in NFC with `/`, without `.bvh`."""

    line: int
    clip: str
    caption: str


def plain_name(name: str) -> str:
    """A file's or a table's name of a clip in one spelling: NFC, `/` between folders, no `.bvh`."""
    name = unicodedata.normalize("NFC", name.strip()).replace("\\", "/").removeprefix("./")
    return name[: -len(".bvh")] if name.lower().endswith(".bvh") else name


def read_captions(path: str | Path) -> list[Row]:
    """The rows of the table; a row that cannot be read is an error with its line."""
    lines = read_text(path, "captions", "a table with the columns clip,caption").split("\n")
    separator, columns = _header(lines[0], path)
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            fields = next(csv.reader([line], delimiter=separator, strict=True))
        except csv.Error:
            raise InputError(
                "a quote that is never closed, or text after a closing quote",
                where=where,
                field="caption",
                fix='write "…" around the whole caption and "" for a quote in it, or no quotes at all',
            ) from None
        rows.append(_row(fields, columns, separator, number, where))
    return rows


def _header(line: str, path: str | Path) -> tuple[str, list[str]]:
    """The separator and the column names of the first line."""
    for separator in SEPARATORS:
        columns = [name.strip().strip('"').lower() for name in line.split(separator)]
        if {"clip", "caption"} <= set(columns):
            return separator, columns
    raise InputError(
        f"no `clip` or no `caption` column ({line.strip()[:60]!r})",
        where=f"{path}:1",
        field="captions",
        fix="the header is clip,caption",
    )


def _row(fields: list[str], columns: list[str], separator: str, line: int, where: str) -> Row:
    if len(fields) > len(columns) and columns[-1] == "caption":
        last = len(columns) - 1
        # the caption's own separators, not meant to divide it
        fields = [*fields[:last], separator.join(fields[last:])]
    if len(fields) != len(columns):
        raise InputError(
            f"{len(fields)} fields, the header has {len(columns)}",
            where=where,
            field="caption",
            fix='write "…" around a caption that holds a separator',
        )
    clip = plain_name(fields[columns.index("clip")])
    caption = " ".join(fields[columns.index("caption")].split())
    if len(caption) > 1 and caption[0] == caption[-1] == '"':  # quoted after a blank
        caption = caption[1:-1].replace('""', '"').strip()
    for name, text in (("clip", clip), ("caption", caption)):
        if not text:
            raise InputError(
                f"empty {name}", where=where, field=name, fix="write one, or delete the row"
            )
    return Row(line, clip, caption)
