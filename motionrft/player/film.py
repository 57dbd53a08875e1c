"""Motions as pictures: a row a model, a column a motion; as .gif, or as .mp4 where ffmpeg is."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from motionrft.errors import InputError
from motionrft.files import atomic
from motionrft.motion.skeleton import Skeleton
from motionrft.player.stick_figure import centred

TILE, LINE = 220, 4
COLOURS = ("#0072b2", "#e69f00")  # of every other limb
FILM_FPS = 10.0


def pictures(
    motions: Mapping[str, Sequence[Tensor]],
    skeleton: Skeleton,
    fps: float,
    film_fps: float = FILM_FPS,
) -> list[Image.Image]:
    """All motions [T, J, 3] at each moment of the film; shorter ones hold their last pose."""
    longest = max(len(joints) for clips in motions.values() for joints in clips)
    columns = max(len(clips) for clips in motions.values())
    moments = np.arange(0, longest, fps / film_fps).astype(int).tolist()
    frames = []
    for moment in moments:
        picture = Image.new("RGB", (TILE * columns, TILE * len(motions)), "white")
        draw = ImageDraw.Draw(picture)
        for line, (name, clips) in enumerate(motions.items()):
            for column, joints in enumerate(clips):
                pose = joints[min(moment, len(joints) - 1)] / skeleton.metre
                _draw_pose(draw, centred(pose, pose), skeleton, column, line)
                draw.text((TILE * column + 6, TILE * line + 4), name, fill="black")
        frames.append(picture)
    return frames


def _draw_pose(
    draw: ImageDraw.ImageDraw, pose: Tensor, skeleton: Skeleton, column: int, line: int
) -> None:
    """One pose [J, 3] in metres, seen from half left, in its tile."""
    left, floor = TILE * (column + 0.5), TILE * (line + 1) - 24
    x = left + 0.4 * TILE * (0.85 * pose[:, 0] + 0.5 * pose[:, 2])
    y = floor - 0.4 * TILE * pose[:, 1]
    points = np.stack([x.numpy(), y.numpy()], axis=1)
    draw.line([(left - 80, floor), (left + 80, floor)], fill="#cccccc")
    for index, chain in enumerate(skeleton.chains):
        path = [tuple(points[joint]) for joint in chain]
        draw.line(path, fill=COLOURS[index % 2 == 0], width=LINE, joint="curve")


def write_gif(path: str | Path, frames: Sequence[Image.Image], film_fps: float = FILM_FPS) -> None:
    """An animation that repeats."""
    with atomic(path) as temporary:
        frames[0].save(
            temporary, format="GIF", save_all=True, append_images=list(frames[1:]),
            duration=round(1000 / film_fps), loop=0, optimize=True,
        )  # fmt: skip


def find_ffmpeg() -> str:
    """The program; an `InputError` where there is none."""
    found = shutil.which("ffmpeg")
    if found is None:
        raise InputError(
            "ffmpeg is not on this machine", where="--mp4", fix="install it, or use the .gif"
        )
    return found


def write_mp4(path: str | Path, frames: Sequence[Image.Image], film_fps: float) -> None:
    """H.264 through ffmpeg, which gets the pictures as raw bytes."""
    width, height = frames[0].size
    command = [
        *(find_ffmpeg(), "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"),
        *("-s", f"{width}x{height}", "-r", f"{film_fps:g}", "-i", "-", "-pix_fmt", "yuv420p"),
        *("-f", "mp4"),
    ]
    with atomic(path) as temporary:
        done = subprocess.run(
            [*command, str(temporary)],
            input=b"".join(frame.tobytes() for frame in frames),
            capture_output=True,
            check=False,
        )
        if done.returncode:
            lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
            raise InputError(f"ffmpeg failed ({lines[-1]})", where=path, fix="use the .gif")
