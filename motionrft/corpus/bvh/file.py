"""A BVH file as joint positions: hierarchy, channels, forward kinematics, resampling."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from motionrft.contents import read_text
from motionrft.errors import InputError

ROTATIONS = {"xrotation": "X", "yrotation": "Y", "zrotation": "Z"}
POSITIONS = {"xposition": 0, "yposition": 1, "zposition": 2}
BLOCK = re.compile(r"(root|joint|end[\s_-]*site)\b", re.IGNORECASE)
MOTION = re.compile(r"^[^\S\n]*motion\b", re.IGNORECASE | re.MULTILINE)
HEADER = re.compile(r"\s*frames\s*:\s*(\S+)\s+frame\s*time\s*:\s*(\S+)[^\S\n]*", re.IGNORECASE)
END = "/End Site"  # after a joint's name, the point where its last bone ends
REPAIR = "export the file again, or remove it"
FRAME_TIME = (1e-3, 1.0)  # seconds that a frame may last


@dataclass(frozen=True)
class BvhMotion:
    """names J (the end of a chain is `<joint>/End Site`); parents [J], -1 for a root; translation [T, J, 3] local,
    in the file's unit; rotation [T, J, 4] local unit quaternions xyzw; fps; remarks on how it was read."""

    names: list[str]
    parents: list[int]
    translation: np.ndarray
    rotation: np.ndarray
    fps: float
    remarks: list[str] = field(default_factory=list)

    def resampled(self, fps: float) -> BvhMotion:
        """The motion at another rate: rotations are interpolated, not points, so that bones stay rigid."""
        last = len(self.translation) - 1
        moments = np.arange(int(last * fps / self.fps + 1e-6) + 1) * self.fps / fps
        return self.at(moments, fps)

    def at(self, moments: np.ndarray, fps: float) -> BvhMotion:
        """The motion at `moments`, in frames of this one (clipped to its first and last), as one of `fps`."""
        last = len(self.translation) - 1
        below = np.clip(np.floor(moments + 1e-9).astype(int), 0, last)
        above = np.minimum(below + 1, last)
        share = np.clip(moments - below, 0.0, 1.0)[:, None]
        translation = (
            self.translation[below] * (1 - share[..., None])
            + self.translation[above] * share[..., None]
        )
        first, second = (
            torch.from_numpy(self.rotation[below]),
            torch.from_numpy(self.rotation[above]),
        )
        second = torch.where((first * second).sum(-1, keepdim=True) < 0, -second, second)
        weight = torch.from_numpy(share).to(first)
        mixed = first * (1 - weight[..., None]) + second * weight[..., None]
        # so close in time, the normalised mean is the slerp to within rounding
        rotation = (mixed / mixed.norm(dim=-1, keepdim=True)).numpy()
        return BvhMotion(self.names, self.parents, translation, rotation, fps, self.remarks)

    def positions(self) -> np.ndarray:
        """[T, J, 3] global joint positions in the file's unit."""
        import roma  # loads the compiler, 1.5 s

        local = roma.unitquat_to_rotmat(torch.from_numpy(self.rotation)).numpy()
        frames, joints = self.rotation.shape[:2]
        turned = np.empty((frames, joints, 3, 3))
        placed = np.empty((frames, joints, 3))
        for joint, parent in enumerate(self.parents):
            if parent < 0:
                turned[:, joint], placed[:, joint] = local[:, joint], self.translation[:, joint]
            else:
                turned[:, joint] = turned[:, parent] @ local[:, joint]
                placed[:, joint] = placed[:, parent] + np.einsum(
                    "tij,tj->ti", turned[:, parent], self.translation[:, joint]
                )
        return placed


@dataclass
class Node:
    """A joint of the hierarchy, or the end of a chain. channels: lower-case names in the file's order."""

    name: str
    parent: int
    line: int
    offset: list[float] | None = None
    channels: list[str] | None = None

    @property
    def is_end(self) -> bool:
        return END in self.name


def read_bvh(path: str | Path) -> BvhMotion:
    """Reads one file. Position channels of a joint replace its OFFSET, as animation tools have it."""
    path = Path(path)
    text = read_text(path, "header", REPAIR)
    hierarchy_end, rows_begin, frames, fps = _header(text, path)
    nodes = read_hierarchy(text[:hierarchy_end], path)
    width = sum(len(node.channels or ()) for node in nodes)
    line = text.count("\n", 0, rows_begin) + 1
    rows = _rows(text[rows_begin:].split("\n"), line, width, path)
    remarks = []
    if len(rows) < frames:
        raise InputError(
            f"truncated: {len(rows)} rows, `Frames:` says {frames}",
            where=path,
            field="MOTION",
            fix=REPAIR,
        )
    if len(rows) > frames:
        remarks.append(f"{path.name}: {len(rows)} rows, `Frames:` says {frames}; all are read")
    translation, rotation = _channels(nodes, rows)
    names, parents = [node.name for node in nodes], [node.parent for node in nodes]
    return BvhMotion(names, parents, translation, rotation, fps, remarks)


def read_length(path: str | Path) -> tuple[int, float]:
    """Frames and frames a second as the file says them, without reading its rows."""
    path = Path(path)
    _, _, frames, fps = _header(read_text(path, "header", REPAIR), path)
    return frames, fps


def _header(text: str, path: Path) -> tuple[int, int, int, float]:
    """Where the hierarchy ends and the rows begin in the text; frames; frames a second."""
    motion = MOTION.search(text)
    if motion is None or not text.lstrip().lower().startswith("hierarchy"):
        raise InputError("no HIERARCHY and MOTION section", where=path, field="header", fix=REPAIR)
    header = HEADER.match(text, motion.end())
    if not header:
        raise InputError("no frame count or frame time", where=path, field="MOTION", fix=REPAIR)
    frames, seconds = _frame_count(header[1], path), _frame_time(header[2], path)
    return motion.start(), header.end(), frames, 1.0 / seconds


def _frame_count(text: str, path: Path) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise InputError(
            f"`Frames:` is {text!r}, not a count of frames", where=path, field="MOTION", fix=REPAIR
        )
    return int(text)


def _frame_time(text: str, path: Path) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not FRAME_TIME[0] <= seconds <= FRAME_TIME[1]:
        raise InputError(
            f"`Frame Time:` is {text!r}, expected seconds from {FRAME_TIME[0]:g} to {FRAME_TIME[1]:g}",
            where=path,
            field="MOTION",
            fix="write the seconds of one frame, for example 0.0333333",
        )
    return seconds


def _rows(lines: list[str], begin: int, width: int, path: Path) -> np.ndarray:
    """[T, width] float64; `begin` is the number of the first line. A row may be wrapped over lines, as long as no
    line holds the end of one row and the begin of the next."""
    values = np.empty((sum(1 for line in lines if line.strip()), width))
    row, held, started = 0, list[str](), begin
    for number, line in enumerate(lines, start=begin):
        words = line.split()
        if not words:
            continue
        started = started if held else number
        held += words
        if len(held) < width:
            continue
        where = f"{path}:{started}"
        if len(held) > width:
            raise InputError(
                f"row {row + 1} has {len(held)} numbers, expected {width}",
                where=where,
                field="MOTION",
                fix=REPAIR,
            )
        try:
            if any("_" in word for word in held):  # which Python would read as a number
                raise ValueError(f"not a number: {next(word for word in held if '_' in word)!r}")
            values[row] = held
        except ValueError as error:
            raise InputError(str(error), where=where, field="MOTION", fix=REPAIR) from None
        if not np.isfinite(values[row]).all():
            raise InputError(
                f"NaN or infinite value in frame {row}", where=where, field="MOTION", fix=REPAIR
            )
        row, held = row + 1, []
    if held:
        raise InputError(
            f"truncated: row {row + 1} has {len(held)} numbers, expected {width}",
            where=f"{path}:{started}",
            field="MOTION",
            fix=REPAIR,
        )
    return values[:row]


def _channels(nodes: list[Node], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Local translations [T, J, 3] and rotations [T, J, 4]."""
    import roma  # loads the compiler, 1.5 s

    translation = np.tile(np.array([node.offset for node in nodes]), (len(rows), 1, 1))
    rotation = np.zeros((len(rows), len(nodes), 4))
    rotation[..., 3] = 1.0
    column = 0
    for joint, node in enumerate(nodes):
        axes, angles = "", []
        for name in node.channels or ():
            if name in POSITIONS:
                translation[:, joint, POSITIONS[name]] = rows[:, column]
            else:
                axes += ROTATIONS[name]
                angles.append(rows[:, column])
            column += 1
        if axes:
            # channels apply in the order listed: the first is outermost, so intrinsic (upper case)
            rotation[:, joint] = roma.euler_to_unitquat(
                axes, torch.from_numpy(np.stack(angles, -1)), degrees=True
            ).numpy()
    return translation, rotation


def read_hierarchy(text: str, path: Path) -> list[Node]:
    """Joints and ends of chains, parents first. Whatever is not a joint, an end site, an offset or channels is an
    error with its line."""
    nodes: list[Node] = []
    open_nodes: list[int] = []
    waiting: int | None = None  # a node named, its brace not yet open
    for number, line in enumerate(text.split("\n"), start=1):
        rest = line.strip()
        if not nodes and rest.lower().startswith("hierarchy"):
            rest = rest[len("hierarchy") :].strip()
        while rest:
            word = rest.split(maxsplit=1)[0].lower()
            block = BLOCK.match(rest)
            if rest[0] == "{" and waiting is not None:
                open_nodes.append(waiting)
                waiting, rest = None, rest[1:].strip()
            elif rest[0] == "}" and open_nodes and waiting is None:
                open_nodes.pop()
                rest = rest[1:].strip()
            elif block and waiting is None:
                name, brace, rest = rest[block.end() :].partition("{")
                rest = (brace + rest).strip()
                parent = open_nodes[-1] if open_nodes else -1
                nodes.append(
                    _node(block[1].lower(), name.strip(), parent, nodes, f"{path}:{number}", number)
                )
                waiting = len(nodes) - 1
            elif (
                open_nodes
                and waiting is None
                and word.split("\t")[0].lower() in ("offset", "channels")
            ):
                rest = _property(nodes[open_nodes[-1]], rest, f"{path}:{number}")
            else:
                raise InputError(
                    f"{rest[:40]!r} is not expected here",
                    where=f"{path}:{number}",
                    field="HIERARCHY",
                    fix="write ROOT, JOINT or End Site, each with { OFFSET, CHANNELS }",
                )
    if open_nodes or waiting is not None or not nodes:
        raise InputError("unbalanced braces or no joint", where=path, field="HIERARCHY", fix=REPAIR)
    for node in nodes:
        absent = "OFFSET" if node.offset is None else "CHANNELS"
        if node.offset is None or (node.channels is None and not node.is_end):
            raise InputError(
                f"no {absent}", where=f"{path}:{node.line}", field=node.name, fix=REPAIR
            )
    return nodes


def _node(kind: str, name: str, parent: int, nodes: list[Node], where: str, line: int) -> Node:
    """A named block: ROOT, JOINT, or an end site, which takes its joint's name."""
    if (parent < 0) != (kind == "root"):
        problem = "a ROOT inside a joint" if kind == "root" else f"a {kind} outside of any joint"
        raise InputError(problem, where=where, field="HIERARCHY", fix=REPAIR)
    if parent >= 0 and nodes[parent].is_end:
        raise InputError("a block inside an end site", where=where, field="HIERARCHY", fix=REPAIR)
    if kind.startswith("end"):
        name, count = (
            nodes[parent].name + END,
            sum(node.parent == parent and node.is_end for node in nodes),
        )
        name += f" {count + 1}" if count else ""
    if not name:
        raise InputError(f"a {kind} without a name", where=where, field="HIERARCHY", fix=REPAIR)
    if any(node.name == name for node in nodes):
        raise InputError(
            f"two joints are called {name!r}",
            where=where,
            field="HIERARCHY",
            fix="give every joint a name of its own",
        )
    return Node(name, parent, line)


def _property(node: Node, rest: str, where: str) -> str:
    """Reads an OFFSET or CHANNELS statement into the node and returns what follows it on the line."""
    word, *values = rest.split()
    if word.lower() == "offset":
        try:
            offset = [float(value) for value in values[:3]]
        except ValueError:
            offset = []
        if len(offset) < 3 or not np.isfinite(offset).all() or node.offset is not None:
            problem = "a second OFFSET" if node.offset is not None else "OFFSET needs three numbers"
            raise InputError(problem, where=where, field=node.name, fix=REPAIR)
        node.offset, taken = offset, 3
    else:
        taken = 1 + (int(values[0]) if values and values[0].isdecimal() else -2)
        names = [value.lower() for value in values[1:taken]]
        unknown = [name for name in values[1:taken] if name.lower() not in POSITIONS | ROTATIONS]
        if unknown:
            raise InputError(
                f"unknown channel {unknown[0]!r}", where=where, field=node.name, fix=REPAIR
            )
        turns = [name for name in names if name in ROTATIONS]
        repeated = len(names) - len(turns) != len(set(names) & set(POSITIONS)) or len(turns) > 3
        if taken < 1 or len(names) != taken - 1 or node.channels is not None or repeated:
            raise InputError(
                "CHANNELS needs a count and so many channels, once a joint",
                where=where,
                field=node.name,
                fix=REPAIR,
            )
        node.channels = names
    return " ".join(values[taken:])
