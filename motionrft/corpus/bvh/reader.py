"""How the files of one folder become bodies: the joint map, the scale and the up axis, given or found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from motionrft.corpus.bvh.body import (
    head_above,
    legs,
    mapped,
    unit_of,
    up_axis,
    upright,
    upward,
)
from motionrft.corpus.bvh.file import END, BvhMotion, read_bvh
from motionrft.corpus.bvh.joint_map import JointMap, fitted, guess_joint_map, read_joint_map
from motionrft.corpus.report import Report
from motionrft.errors import InputError

AUTO = "auto"
SAMPLE = 12  # files that tell the up axis of a folder


@dataclass
class Reader:
    """joint_map: the user's, or None to guess each file's from its names; scale: the user's, or None for each file's
    own, from the length of its legs; up: the axis of the files that points upwards; name: the joint map's. The
    counters tell what the files read so far are."""

    joint_map: JointMap | None
    scale: float | None
    up: str
    report: Report
    name: str = AUTO
    guesses: dict[tuple[str, ...], tuple[str, JointMap]] = field(default_factory=dict)
    skeletons: Counter[tuple[str, ...]] = field(default_factory=Counter)
    scales: Counter[float] = field(default_factory=Counter)
    rates: Counter[float] = field(default_factory=Counter)
    legs: list[float] = field(default_factory=list)

    def joints(self, motion: BvhMotion, where: Path) -> np.ndarray:
        """[T, 22, 3] in the file's unit and axes."""
        if self.joint_map is not None:
            return mapped(motion, fitted(self.joint_map, motion.names) or self.joint_map, where)
        skeleton = tuple(motion.names)
        if skeleton not in self.guesses:
            name, joint_map = guess_joint_map(motion, where)
            self.guesses[skeleton] = name, joint_map
            detail = "; ".join(
                f"{joint} {' + '.join(own)}"
                for joint, own in joint_map.items()
                if own != [joint]  # as our own files have it
            )
            if name == "guessed" and not detail:
                name = "of SMPL's own names"
            self.report.remark(
                f"joint map {name}, from the joint names of {where.name}"
                + (f": {detail}" if name == "guessed" else "")
            )
        return mapped(motion, self.guesses[skeleton][1], where)

    def body(self, motion: BvhMotion, where: Path) -> np.ndarray:
        """[T, 22, 3] metres, Y up, where the file has them."""
        joints = self.joints(motion, where)
        scale = self.scale_of(joints, where)
        self.skeletons[tuple(motion.names)] += 1
        self.scales[scale] += 1
        self.legs.append(legs(joints) * scale)
        body = upright(joints, scale, self.up)
        share = head_above(body)
        if share < 0.5:
            self.report.remark(
                f"{where}: the head is above the pelvis in {100 * share:.0f} % of frames with corpus.up: {self.up}"
            )
        return body

    def scale_of(self, joints: np.ndarray, where: Path) -> float:
        """Metres in the file's unit; a scale that makes no likely body is remarked."""
        leg = legs(joints)
        likely = unit_of(leg)
        if self.scale is None:
            if likely is None:
                raise InputError(
                    f"legs of {leg:.3g} units are no body's in metres, centimetres, millimetres or inches",
                    where=where,
                    field="corpus.scale",
                    fix="set corpus.scale to the metres in one unit of the files",
                )
            return likely
        if likely is not None and not 0.5 < self.scale / likely < 2:
            self.report.remark(
                f"{where}: legs are {leg * self.scale:.3g} m long at corpus.scale {self.scale:g}, "
                f"{leg * likely:.2f} m at {likely:g}"
            )
        return self.scale


def describe(reader: Reader) -> None:
    """What the files read so far are, into the report's `seen`."""
    seen = reader.report.seen
    for names, count in reader.skeletons.most_common():
        joints = [name for name in names if END not in name]
        seen.append(("joints", f"{len(joints)} in {count} files: {', '.join(joints)}"))
        name, joint_map = reader.guesses.get(names, (reader.name, reader.joint_map or {}))
        pairs = ", ".join(f"{joint} = {' + '.join(own)}" for joint, own in joint_map.items())
        seen.append(("joint map", f"{name}: {pairs}"))
    for scale, count in reader.scales.most_common():
        given = "corpus.scale" if reader.scale else "from the legs"
        seen.append(("scale", f"{scale:g} m a unit in {count} files ({given})"))
    if reader.legs:
        low, high = min(reader.legs), max(reader.legs)
        seen.append(("legs", f"{low:.2f} to {high:.2f} m from hip to ankle"))
    seen.append(("up axis", reader.up))
    for rate, count in reader.rates.most_common():
        seen.append(("frame rate", f"{rate:g} a second in {count} files"))


def open_reader(settings: dict[str, Any], files: Sequence[Path], report: Report) -> Reader:
    """The reader of a folder; the up axis, where it is not given, is found from a sample of its files."""
    name, scale, up = (settings.get(key, AUTO) for key in ("joint_map", "scale", "up"))
    reader = Reader(
        None if name == AUTO else read_joint_map(name),
        None if scale == AUTO else float(scale),
        "y" if up == AUTO else up,
        report,
        str(name),
    )
    directions, unmapped = [], []
    for path in files[:: max(len(files) // SAMPLE, 1)]:
        try:
            motion = read_bvh(path)
        except InputError:
            continue  # named when the file's own turn comes
        try:
            directions.append(upward(reader.joints(motion, path)))
        except InputError as error:
            unmapped.append(error)
    if unmapped and not directions:
        raise unmapped[0]  # once, instead of for every file
    if up != AUTO:
        return reader
    axis = up_axis(directions) if directions else "y"
    if axis is None:
        report.remark("bodies stand along no axis plainly: Y is taken to be up (corpus.up)")
    elif axis != "y":
        report.remark(f"bodies stand along {axis}: turned to Y up (corpus.up: {axis})")
    reader.up = axis or "y"
    return reader
