"""Which BVH joint each SMPL joint is: maps of `config/skeletons`, a user's own file, or guessed from the names.

A map holds a name or a list of names (whose mean is taken) for each of the 22 joints; `<joint>/End Site` is the end
of that joint's chain. A namespace before a colon (`mixamorig:Hips`) need not be written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from motionrft.configuration import ROOT, read_yaml
from motionrft.corpus.bvh.body import JOINTS
from motionrft.corpus.bvh.file import END, BvhMotion
from motionrft.errors import InputError

JointMap = dict[str, list[str]]
# names of a limb's joints in the rigs of the field, sides, spaces and case removed
LIMBS = {
    "hip": ("upleg", "upperleg", "thigh", "femur", "hip", "hipjoint"),
    "knee": ("lowerleg", "shin", "calf", "tibia", "knee", "leg"),
    "ankle": ("ankle", "foot"),
    "foot": ("toebase", "toe", "toes", "ball", "foot"),
    "collar": ("clavicle", "collar", "collarbone", "shoulder"),
    "shoulder": ("upperarm", "uparm", "shldr", "humerus", "arm", "shoulder"),
    "elbow": ("forearm", "lowerarm", "radius", "elbow"),
    "wrist": ("hand", "wrist"),
}
MIDDLE = {
    "pelvis": ("hips", "pelvis", "hip", "root"),
    "neck": ("neck", "neck1", "neck2"),
    "head": ("head",),
}
# left and right as rigs write them: LeftLeg, leg_left, lThigh, LThigh, l_thigh, UpperLeg_L, UpperLegL, Bip01 L Thigh
SIDE = re.compile(
    r"^(?i:left|right)|^[lr](?=[A-Z])|^[LR](?=[A-Z][a-z])|^[lrLR](?=[_. -])"
    r"|(?i:left|right)$|(?<=[_. -])[lrLR]$|(?<=[a-z])[LR]$|(?<=[_. -])(?i:left|right|l|r)(?=[_. -])"
)


def shipped_maps() -> list[str]:
    return sorted(path.stem for path in (ROOT / "config" / "skeletons").glob("*.yaml"))


def read_joint_map(name: str | Path) -> JointMap:
    """{SMPL joint: BVH joints whose mean it is}, from a path or from `config/skeletons/<name>.yaml`."""
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = ROOT / "config" / "skeletons" / f"{name}.yaml"
        if not path.exists():
            raise InputError(
                f"no joint map {str(name)!r}",
                where=path,
                field="corpus.joint_map",
                fix=f"use auto, {', '.join(shipped_maps())}, or the path of a .yaml file",
            )
    entries = read_yaml(path)
    for joint in entries:
        if joint not in JOINTS:
            raise InputError(
                "not an SMPL-22 joint", where=path, field=str(joint), fix=f"use {', '.join(JOINTS)}"
            )
    for joint in JOINTS:
        if joint not in entries:
            raise InputError(
                "joint missing from the map", where=path, field=joint, fix="name its BVH joint"
            )
    joint_map = {joint: _sources(entries[joint], joint, path) for joint in JOINTS}
    owner: dict[frozenset[str], str] = {}
    for joint, sources in joint_map.items():
        other = owner.setdefault(frozenset(sources), joint)
        if other != joint:
            raise InputError(
                f"the same as {other}: {', '.join(sources)}",
                where=path,
                field=joint,
                fix="map each to a joint of its own, or to the mean of two",
            )
    return joint_map


def _sources(entry: object, joint: str, path: Path) -> list[str]:
    entries = entry if isinstance(entry, list) else [entry]
    names = [name.strip() for name in entries if isinstance(name, str)]
    if not entries or len(names) < len(entries) or not all(names):
        raise InputError(
            f"{entry!r} is not a joint's name or a list of names",
            where=path,
            field=joint,
            fix='name its BVH joint, in quotes if the name is a number ("1")',
        )
    if len(set(names)) < len(names):
        raise InputError(
            f"{entry!r} names a joint twice", where=path, field=joint, fix="name it once"
        )
    return names


def fitted(joint_map: Mapping[str, Sequence[str]], names: Sequence[str]) -> JointMap | None:
    """The map in the file's own names, where all of them are there, with or without a namespace; else None."""
    known = {name: name for name in names}
    for name in names:
        known.setdefault(name.rsplit(":", 1)[-1], name)
    if all(source in known for sources in joint_map.values() for source in sources):
        return {
            joint: [known[source] for source in sources] for joint, sources in joint_map.items()
        }
    return None


def guess_joint_map(motion: BvhMotion, where: str | Path) -> tuple[str, JointMap]:
    """The name of the shipped map that fits the file's joints, or `guessed`, and the map."""
    for name in shipped_maps():
        joint_map = fitted(read_joint_map(name), motion.names)
        if joint_map:
            return name, joint_map
    joint_map, missing = from_names(motion)
    if missing:
        raise InputError(
            f"no map fits this skeleton and none can be guessed: no {', '.join(missing)} among "
            f"{', '.join(name for name in motion.names if END not in name)}",
            where=where,
            field="corpus.joint_map",
            fix=f"write a map like those of config/skeletons ({', '.join(shipped_maps())}) and name its path",
        )
    return "guessed", joint_map


def split_side(name: str) -> tuple[str, str]:
    """("left", "right" or "", the rest in lower-case letters and digits) of a joint's name."""
    bare = re.sub(
        r"^(bip\d*|b|def|org|rig|skel)[ _.-]+", "", name.rsplit(":", 1)[-1], flags=re.IGNORECASE
    )
    match = SIDE.search(bare)
    side = ""
    if match:
        side = "left" if match[0].lower().startswith("l") else "right"
        bare = bare[: match.start()] + " " + bare[match.end() :]
    return side, re.sub(r"[^a-z0-9]", "", bare.lower())


def from_names(motion: BvhMotion) -> tuple[JointMap, list[str]]:
    """A map from the joints' names, and the SMPL joints for which there is none."""
    parts: dict[tuple[str, str], str] = {}
    for name in motion.names:
        if END not in name:
            parts.setdefault(split_side(name), name)
    joint_map: JointMap = {}

    def take(joint: str, side: str, words: Sequence[str]) -> None:
        taken = {source for sources in joint_map.values() for source in sources}
        for word in words:
            name = parts.get((side, word))
            if name and name not in taken:
                joint_map[joint] = [name]
                return

    for joint, words in MIDDLE.items():
        take(joint, "", words)
    for side in ("left", "right"):
        # the arm before the shoulder blade: a rig that has one name for both means the arm's joint
        for limb in ("hip", "knee", "ankle", "foot", "wrist", "elbow", "shoulder", "collar"):
            take(f"{side}_{limb}", side, LIMBS[limb])
        ankle = joint_map.get(f"{side}_ankle", [""])[0]
        if f"{side}_foot" not in joint_map and ankle + END in motion.names:
            joint_map[f"{side}_foot"] = [ankle + END]
    joint_map |= _spine(motion, joint_map)
    missing = [joint for joint in JOINTS if joint not in joint_map]
    return {joint: joint_map[joint] for joint in JOINTS if joint in joint_map}, missing


def _spine(motion: BvhMotion, joint_map: JointMap) -> JointMap:
    """spine1 to spine3 from the joints between the pelvis and where neck and arms part; with two, spine2 is midway."""
    above = [_ancestors(motion, joint_map[joint][0]) for joint in ("neck", "left_shoulder", "right_shoulder") if joint in joint_map]  # fmt: skip
    if "pelvis" not in joint_map or len(above) < 3:
        return {}
    shared = [name for name in above[0] if all(name in chain for chain in above[1:])]
    root = joint_map["pelvis"][0]
    if root not in shared:
        return {}
    chain = shared[: shared.index(root)][::-1]
    if len(chain) < 2:
        return {}
    middle = [chain[len(chain) // 2]] if len(chain) > 2 else chain
    return {"spine1": [chain[0]], "spine2": middle, "spine3": [chain[-1]]}


def _ancestors(motion: BvhMotion, name: str) -> list[str]:
    """The joints above one, the nearest first."""
    chain, joint = [], motion.parents[motion.names.index(name)]
    while joint >= 0:
        chain.append(motion.names[joint])
        joint = motion.parents[joint]
    return chain
