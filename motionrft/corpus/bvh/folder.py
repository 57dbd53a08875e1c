"""The BVH files of a folder, its subfolders and links, each with a name and its captions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from motionrft.configuration.outside import walk_links
from motionrft.contents import described
from motionrft.corpus.bvh.captions_table import Row, plain_name
from motionrft.corpus.report import Report
from motionrft.errors import InputError


@dataclass(frozen=True)
class Take:
    """A file. place: its path in the folder without `.bvh`; name: the clip's, the file's own name where no other
    has it, else the path with `-` between folders."""

    path: Path
    place: str
    name: str


def walk(folder: Path) -> Iterator[Path]:
    """Everything called `.bvh` (in any case) below `folder`, sorted; links are followed, each folder entered once."""
    for root, folders, files in walk_links(folder):
        for name in sorted([*files, *folders]):
            if name.lower().endswith(".bvh"):
                yield root / name


def find_takes(folder: Path, report: Report) -> list[Take]:
    """The folder's files, in the order of their paths. What is called `.bvh` and is no file is reported."""
    if not folder.is_dir():
        raise InputError(
            f"no such folder ({folder.absolute()})",
            where=folder,
            field="corpus.mocap_dir",
            fix="--config mocap_dir=<folder of BVH files>; a relative path counts from where the command runs",
        )
    paths = []
    for path in walk(folder):
        if path.is_file():
            paths.append(path)
        else:
            problem, fix = described(path) or ("not a file", "remove it")
            report.broken(InputError(problem, where=path, fix=fix or "remove it"))
    if not paths:
        raise InputError(
            f"no .bvh file ({folder.absolute()})",
            where=folder,
            field="corpus.mocap_dir",
            fix="--config mocap_dir=<folder of BVH files>",
        )
    places = [plain_name(path.relative_to(folder).as_posix()) for path in paths]
    stems = Counter(place.rsplit("/", 1)[-1] for place in places)
    names = [
        stem if stems[stem := place.rsplit("/", 1)[-1]] == 1 else place.replace("/", "-")
        for place in places
    ]
    takes = [Take(*entry) for entry in sorted(zip(paths, places, names, strict=True))]
    doubled = [name for name, count in Counter(names).items() if count > 1]
    if doubled:
        files = [str(take.path) for take in takes if take.name == doubled[0]]
        raise InputError(
            f"clip {doubled[0]!r} is two files, {' and '.join(files[:2])}",
            where=folder,
            field="clip",
            fix="give one of them another name",
        )
    return takes


def captions_by_take(
    takes: list[Take], rows: list[Row], table: Path, report: Report
) -> dict[str, list[str]]:
    """{clip name: its captions}. A row names a file by its path in the folder, or by its own name where only one
    file has it; rows that name no file are reported."""
    stems = Counter(take.place.rsplit("/", 1)[-1] for take in takes)
    clip_of = {take.place: take.name for take in takes}
    for take in takes:
        stem = take.place.rsplit("/", 1)[-1]
        if stems[stem] == 1:
            clip_of.setdefault(stem, take.name)
    captions: dict[str, list[str]] = {}
    for row in rows:
        if row.clip in clip_of:
            captions.setdefault(clip_of[row.clip], []).append(row.caption)
            continue
        several = stems[row.clip] > 1
        report.left_out(
            "a caption without file",
            f"{table}:{row.line}: "
            + (
                f"{row.clip!r} is the name of {stems[row.clip]} files: write its path in the folder"
                if several
                else f"no file {row.clip}.bvh in the folder"
            ),
        )
    return captions
