"""BVH texts for the tests: an arm whose poses are known by hand, and a person of any joint names."""

ARM = """HIERARCHY
ROOT Base
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Elbow
  {
    OFFSET 2 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT Hand
    {
      OFFSET 3 0 0
      CHANNELS 3 Zrotation Xrotation Yrotation
      End Site
      {
        OFFSET 1 0 0
      }
    }
  }
}
MOTION
Frames: 3
Frame Time: 0.05
0 1 0 0 0 0 0 0 0 0 0 0
0 1 0 90 0 0 0 0 0 0 0 0
5 1 0 90 0 0 0 0 90 0 0 0
"""

TREE = {
    "pelvis": ["left_hip", "right_hip", "spine1"],
    "left_hip": ["left_knee"],
    "right_hip": ["right_knee"],
    "left_knee": ["left_ankle"],
    "right_knee": ["right_ankle"],
    "left_ankle": ["left_foot"],
    "right_ankle": ["right_foot"],
    "spine1": ["spine2"],
    "spine2": ["spine3"],
    "spine3": ["neck", "left_collar", "right_collar"],
    "neck": ["head"],
    "left_collar": ["left_shoulder"],
    "right_collar": ["right_shoulder"],
    "left_shoulder": ["left_elbow"],
    "right_shoulder": ["right_elbow"],
    "left_elbow": ["left_wrist"],
    "right_elbow": ["right_wrist"],
}
# where the file's x, y, z lie for a person who stands along an axis of it: (x, y, z) of a Y-up person -> the file's
AXES = {
    "y": lambda x, y, z: (x, y, z),
    "z": lambda x, y, z: (x, -z, y),
    "-z": lambda x, y, z: (x, z, -y),
    "x": lambda x, y, z: (y, -x, z),
    "-x": lambda x, y, z: (-y, x, z),
    "-y": lambda x, y, z: (-x, -y, z),
}


def offset(name: str) -> tuple[float, float, float]:
    """Centimetres from the parent joint, Y up, facing +Z, the left at +X."""
    side = {"left": 1, "right": -1}.get(name.split("_")[0], 0)
    if "hip" in name:
        return 10 * side, -5, 0
    if "knee" in name or "ankle" in name:
        return 0, -40, 1
    if "foot" in name:
        return 0, -6, 12
    if any(part in name for part in ("collar", "shoulder")):
        return 10 * side, 5, 0
    if "elbow" in name or "wrist" in name:
        return 25 * side, 0, 1
    return 0, 15, 0


def person(
    frames: int = 60,
    *,
    names: dict[str, str] | None = None,
    unit: float = 1.0,
    up: str = "y",
    end: str = "End Site",
) -> str:
    """A person standing and walking along +X of the file, at 30 frames a second.

    names: the file's name of each SMPL joint; unit: units of the file in a centimetre; up: the axis to stand along;
    end: how the end of a chain is written.
    """
    lines = ["HIERARCHY"]

    def vector(x: float, y: float, z: float) -> str:
        return " ".join(f"{value * unit:g}" for value in AXES[up](x, y, z))

    def joint(name: str, depth: int) -> None:
        lines.append(f"{'ROOT' if depth == 0 else 'JOINT'} {(names or {}).get(name, name)}")
        channels = "6 Xposition Yposition Zposition" if depth == 0 else "3"
        place = vector(0, 0, 0) if depth == 0 else vector(*offset(name))
        lines.extend(["{", f"OFFSET {place}", f"CHANNELS {channels} Zrotation Xrotation Yrotation"])
        for child in TREE.get(name, []):
            joint(child, depth + 1)
        if name not in TREE:
            lines.extend([end, "{", "OFFSET 0 1 0", "}"])
        lines.append("}")

    joint("pelvis", 0)
    lines += ["MOTION", f"Frames: {frames}", "Frame Time: 0.0333333"]
    rest = " ".join(["0"] * 3 * 21)
    turned = "0 0 90" if up == "y" else "0 0 0"  # about y: faces +X
    lines += [f"{vector(3 * t, 97, 0)} {turned} {rest}" for t in range(frames)]
    return "\n".join(lines) + "\n"
