"""The official directory layout of HumanML3D and KIT-ML, read into clips.

  new_joint_vecs/NAME.npy [T, dim]   texts/NAME.txt   Mean.npy Std.npy   train.txt val.txt test.txt
  new_joints/NAME.npy [T, J, 3]      optional; checked against the features when there

The features are taken as they are, not extracted again from joints (that would lose a frame and see another
end of the clip in its smoothing). What the official loaders drop silently is dropped here by name: clips outside
the length limits, clips with NaN, broken caption lines, missing files.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionrft.corpus.captions import Caption, read_captions
from motionrft.corpus.store import SPLITS, Clip
from motionrft.errors import InputError
from motionrft.motion.compat import HUMANML3D
from motionrft.motion.recovery import joints_from_positions
from motionrft.motion.skeleton import Skeleton, measure_lengths
from motionrft.progress import progress

LOG = logging.getLogger(__name__)
OFFICIAL_FPS = 20.0  # what the official code multiplies seconds by, also on KIT-ML's 12.5 fps
AGREEMENT = 1e-3  # metres: new_joints against the joints that new_joint_vecs describe


@dataclass(frozen=True)
class Layout:
    """kind and the configuration key that names the folder; kept clips have least <= frames < limit."""

    kind: str
    skeleton: Skeleton
    least: int
    limit: int
    owner: str

    @property
    def key(self) -> str:
        return f"{self.kind}_dir"

    @property
    def dim(self) -> int:
        return 12 * len(self.skeleton) - 1


class Report:
    """What is left out: appended to `skipped`, logged in summary; or fatal at the first, as configured."""

    def __init__(self, skipped: list[str], fatal: bool):
        self.skipped, self.fatal, self.counts = skipped, fatal, dict[str, int]()

    def broken(self, error: InputError) -> None:
        if self.fatal:
            raise error
        self.left_out("broken", str(error))

    def left_out(self, reason: str, line: str) -> None:
        self.counts[reason] = self.counts.get(reason, 0) + 1
        self.skipped.append(line)

    def summary(self) -> None:
        for reason, count in sorted(self.counts.items()):
            LOG.warning("%s: %d, listed under `skipped` in corpus.json", reason, count)


def root_of(settings: dict[str, Any], layout: Layout, needed: tuple[str, ...]) -> Path:
    """The data folder, or one clear message about what is missing, who gives it and where it goes."""
    folder = Path(settings[layout.key]).expanduser()
    missing = [name for name in needed if not (folder / name).exists()]
    if missing:
        raise InputError(
            f"{', '.join(missing)} not found; the licence of the data forbids to ship them",
            where=folder,
            field=f"corpus.{layout.key}",
            fix=f"get them from {layout.owner} and put them there, or name their folder: "
            f"--config {layout.key}=/path",
        )
    return folder


def read_array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """[T, *shape] float32 of an .npy file, refusing anything else by name."""
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(
            "no such file",
            where=path,
            fix="complete the folder, or take the name out of the split file",
        ) from None
    except (ValueError, OSError, EOFError) as error:
        raise InputError(
            f"not a readable .npy file ({error})", where=path, fix="copy it again"
        ) from None
    if array.ndim != 1 + len(shape) or array.shape[1:] != shape:
        raise InputError(
            f"shape {array.shape}, expected (frames, {', '.join(map(str, shape))})",
            where=path,
            field="shape",
            fix="use the files of this data set",
        )
    return array.astype(np.float32)


def read_split(folder: Path, split: str) -> list[str]:
    path = folder / f"{split}.txt"
    try:
        return path.read_text(encoding="utf-8").split()
    except FileNotFoundError:
        raise InputError(
            "no such file", where=path, field="split", fix="copy the official split files"
        ) from None


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


def captions_of(path: Path, report: Report) -> list[Caption]:
    captions, broken = read_captions(path)
    for error in broken:
        report.broken(error)
    return captions


def read_official(settings: dict[str, Any], layout: Layout, skipped: list[str]) -> Iterator[Clip]:
    """Every kept clip of the three splits.

    `compat: corrected` leaves the features to be extracted again from the joints, which are those that the
    official features describe: headings that a sign flip has lost in the release stay lost.
    """
    folder = root_of(
        settings, layout, ("new_joint_vecs", "texts", *(f"{split}.txt" for split in SPLITS))
    )
    report = Report(skipped, settings["on_error"] == "fail")
    official = settings["compat"] == HUMANML3D
    rate = OFFICIAL_FPS if official else layout.skeleton.fps
    names = [(name, split) for split in SPLITS for name in read_split(folder, split)]
    for name, split in progress(names, total=len(names), label=layout.kind):
        try:
            features = _features(folder, name, layout)
        except InputError as error:
            report.broken(error)
            continue
        if features is None:
            report.left_out("NaN", f"{name}: NaN in new_joint_vecs")
            continue
        try:
            captions = captions_of(folder / "texts" / f"{name}.txt", report)
        except InputError as error:
            report.broken(error)
            continue
        for clip in clips_of(name, features, captions, split, layout, rate, report):
            if not official:
                clip.features = None
            yield clip
    report.summary()


def _features(folder: Path, name: str, layout: Layout) -> np.ndarray | None:
    """[T, dim], or None where they are not finite."""
    features = read_array(folder / "new_joint_vecs" / f"{name}.npy", (layout.dim,))
    if not np.isfinite(features).all():
        return None
    path = folder / "new_joints" / f"{name}.npy"
    if path.exists():
        joints = read_array(path, (len(layout.skeleton), 3))
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
        features = torch.from_numpy(read_array(first, (layout.dim,)))[None, :1]
        joints = joints_from_positions(features, len(layout.skeleton))[0, 0]
        known["bone_lengths"] = measure_lengths(joints, layout.skeleton).tolist()
    if settings["compat"] == HUMANML3D:
        mean, std = (
            np.load(folder / f"{name}.npy", allow_pickle=False).ravel() for name in ("Mean", "Std")
        )
        for name, values in (("Mean.npy", mean), ("Std.npy", std)):
            if values.shape != (layout.dim,) or not np.isfinite(values).all():
                raise InputError(
                    f"{values.size} numbers, expected {layout.dim} finite ones",
                    where=folder / name,
                    fix="copy the official file",
                )
        known["statistics"] = {"kinematic": {"mean": mean.tolist(), "std": std.tolist()}}
    return known
