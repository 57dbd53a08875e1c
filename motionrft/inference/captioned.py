"""Motions with their sentences: one file, or a folder with a captions table."""

from __future__ import annotations

from pathlib import Path

from motionrft.corpus.bvh.captions_table import read_captions
from motionrft.errors import InputError
from motionrft.inference.motion import KINDS, Motion, read_motion

TABLE = "captions.csv"
ENDINGS = (".bvh", ".npz", ".npy")


def captioned_motions(
    path: str | Path, sentence: str | None = None, body_models: Path | None = None
) -> tuple[list[str], list[Motion], list[str]]:
    """Names, motions and sentences: of a file with `sentence` or its own caption; of a folder, a row of its table
    (`captions.csv`: clip,caption) each, or every .npz with its own caption where it has no table."""
    path = Path(path)
    if not path.is_dir():
        motion = read_motion(path, body_models=body_models)
        said = sentence or motion.caption
        if not said:
            raise InputError("no sentence", where=path, fix="say after the file what it should be")
        return [path.name], [motion], [said]
    if sentence is not None:
        raise InputError(
            "one sentence for a folder of motions", where=path, fix=f"write a table {TABLE}"
        )
    if (path / TABLE).is_file():
        rows = [(row.clip, row.caption) for row in read_captions(path / TABLE)]
    else:
        rows = [(file.name, "") for file in sorted(path.glob("*.npz"))]
    if not rows:
        raise InputError(f"no {TABLE} and no .npz", where=path, fix="write the table clip,caption")
    names, motions, sentences = [], [], []
    for clip, caption in rows:
        file = _file_of(path, clip)
        motion = read_motion(file, body_models=body_models)
        if not (caption or motion.caption):
            raise InputError("no caption", where=file, fix=f"write a table {TABLE}")
        names.append(file.name)
        motions.append(motion)
        sentences.append(caption or motion.caption)
    return names, motions, sentences


def _file_of(folder: Path, clip: str) -> Path:
    for candidate in (folder / clip, *(folder / f"{clip}{ending}" for ending in ENDINGS)):
        if candidate.is_file():
            return candidate
    raise InputError(
        f"no motion of clip {clip!r}",
        where=folder / TABLE,
        field="clip",
        fix=f"put an {KINDS} there",
    )
