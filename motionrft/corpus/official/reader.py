"""The official directory layout of HumanML3D and KIT-ML, read into clips.

  new_joint_vecs/NAME.npy [T, dim]   texts/NAME.txt   Mean.npy Std.npy   train.txt val.txt test.txt
  new_joints/NAME.npy [T, J, 3]      optional; checked against the features when there

The features are taken as they are, not extracted again from joints (that would lose a frame and see another
end of the clip in its smoothing). What the official loaders drop silently is dropped here by name: clips outside
the length limits, clips with NaN, broken caption lines, missing files.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionrft.contents import read_array, read_statistics, read_text
from motionrft.corpus.captions import Caption
from motionrft.corpus.official.layout import OFFICIAL_FPS, SPLIT_FILES, TEXTS, Layout, root_of
from motionrft.corpus.official.texts import Texts
from motionrft.corpus.report import Report
from motionrft.corpus.store import SPLITS, Clip
from motionrft.errors import InputError
from motionrft.motion.compat import HUMANML3D
from motionrft.motion.recovery import joints_from_positions
from motionrft.motion.skeleton import measure_lengths
from motionrft.progress import progress

AGREEMENT = 1e-3  # metres: new_joints against the joints that new_joint_vecs describe


def read_frames(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """[T, *shape] float32 of an .npy file, refusing anything else by name."""
    array = read_array(path, "copy it again, or take its name out of the split file")
    if array.ndim != 1 + len(shape) or array.shape[1:] != shape:
        raise InputError(
            f"shape {array.shape}, expected (frames, {', '.join(map(str, shape))})",
            where=path,
            field="shape",
            fix="use the files of this data set",
        )
    return array.astype(np.float32)


def read_splits(folder: Path, report: Report) -> dict[str, str]:
    """{clip: its split} of train.txt, val.txt and test.txt, in their order; a name listed twice counts once."""
    split_of: dict[str, str] = {}
    for split in SPLITS:
        path = folder / f"{split}.txt"
        text = read_text(path, "split", "copy the official split files")
        for line, words in enumerate(map(str.split, text.split("\n")), start=1):
            for name in words:
                if name in split_of:
                    report.broken(
                        InputError(
                            f"{name} stands in {split_of[name]}.txt already",
                            where=f"{path}:{line}",
                            field="split",
                            fix="list every clip once",
                        )
                    )
                split_of.setdefault(name, split)
    return split_of


def letters(number: int) -> str:
    """A, B, …, Z, AA, …: where the official code draws a random letter, so that its names differ each time."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def clips_of(
    name: str,
    features: np.ndarray,
    captions: list[Caption],
    split: str,
    layout: Layout,
    rate: float,
    report: Report,
) -> Iterator[Clip]:
    """The clip with its whole-clip captions, then one clip for each captioned part: `A_NAME`, `B_NAME`, …

    As officially, nothing of a clip outside the length limits is kept, and parts obey the same limits.
    """
    if not layout.least <= len(features) < layout.limit:
        report.left_out(
            "outside the length limits",
            f"{name}: {len(features)} frames, kept are {layout.least} to {layout.limit - 1}",
        )
        return
    whole = [caption for caption in captions if caption.whole]
    if whole:
        yield _clip(name, features, whole, split, layout, name)
    number = 0
    for caption in captions:
        if caption.whole:
            continue
        part = features[int(caption.begin * rate) : int(caption.end * rate)]
        part_name = f"{letters(number)}_{name}"
        number += 1
        if layout.least <= len(part) < layout.limit:
            yield _clip(part_name, part, [caption], split, layout, name)
        else:
            report.left_out("parts outside the length limits", f"{part_name}: {len(part)} frames")


def _clip(
    name: str,
    features: np.ndarray,
    captions: list[Caption],
    split: str,
    layout: Layout,
    source: str,
) -> Clip:
    joints = joints_from_positions(torch.from_numpy(features)[None], len(layout.skeleton))[
        0
    ].numpy()
    return Clip(
        name,
        joints,
        [caption.text for caption in captions],
        split,
        mirror_of=name.replace(source, source[1:]) if source.startswith("M") else "",
        source=source,
        extra={"tokens": [" ".join(caption.tokens) for caption in captions]},
        features=features,
    )


def read_official(settings: dict[str, Any], layout: Layout, report: Report) -> Iterator[Clip]:
    """Every kept clip of the three splits.

    `compat: corrected` leaves the features to be extracted again from the joints, which are those that the
    official features describe: headings that a sign flip has lost in the release stay lost.
    """
    folder = root_of(settings, layout, ("new_joint_vecs", TEXTS, *SPLIT_FILES))
    texts = Texts(folder)
    official = settings["compat"] == HUMANML3D
    rate = OFFICIAL_FPS if official else layout.skeleton.fps
    split_of = read_splits(folder, report)
    for name, split in progress(
        split_of.items(), total=len(split_of), label=layout.kind, unit="clips"
    ):
        try:
            features = _features(folder, name, layout)
        except InputError as error:
            report.broken(error)
            continue
        if features is None:
            report.left_out("NaN", f"{name}: NaN in new_joint_vecs")
            continue
        captions = texts(name, report)
        for clip in clips_of(name, features, captions, split, layout, rate, report):
            if not official:
                clip.features = None
            yield clip


def _features(folder: Path, name: str, layout: Layout) -> np.ndarray | None:
    """[T, dim], or None where they are not finite."""
    features = read_frames(folder / "new_joint_vecs" / f"{name}.npy", (layout.dim,))
    if not np.isfinite(features).all():
        return None
    path = folder / "new_joints" / f"{name}.npy"
    if path.exists():
        joints = read_frames(path, (len(layout.skeleton), 3))
        described = joints_from_positions(torch.from_numpy(features)[None], len(layout.skeleton))[
            0
        ].numpy()
        apart = np.abs(joints - described).max() if joints.shape == described.shape else np.inf
        if not apart <= AGREEMENT * layout.skeleton.metre:
            raise InputError(
                f"joints and new_joint_vecs differ by {apart:g}",
                where=path,
                field="new_joints",
                fix="copy both again",
            )
    return features


def official_facts(settings: dict[str, Any], layout: Layout) -> dict[str, Any]:
    """Skeleton, its bone lengths (those of any released motion) and the official statistics.

    The official statistics cover all splits; they are kept for comparability with published numbers.
    """
    folder = root_of(settings, layout, ("new_joint_vecs", "Mean.npy", "Std.npy"))
    known: dict[str, Any] = {"skeleton": layout.skeleton.name}
    if layout.skeleton.lengths is None:
        first = next(iter(sorted((folder / "new_joint_vecs").glob("*.npy"))), None)
        if first is None:
            raise InputError(
                "no .npy file", where=folder / "new_joint_vecs", fix="complete the folder"
            )
        features = torch.from_numpy(read_frames(first, (layout.dim,)))[None, :1]
        joints = joints_from_positions(features, len(layout.skeleton))[0, 0]
        known["bone_lengths"] = measure_lengths(joints, layout.skeleton).tolist()
    if settings["compat"] == HUMANML3D:
        mean = read_statistics(folder / "Mean.npy", layout.dim)
        std = read_statistics(folder / "Std.npy", layout.dim, deviation=True)
        known["statistics"] = {"kinematic": {"mean": mean.tolist(), "std": std.tolist()}}
    return known
