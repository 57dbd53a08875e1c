"""Motions for the page's player: the same prompt and noise before and after fine-tuning."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motionrft.corpus.samples import Samples, read_samples
from motionrft.reporting.published import OWN_METHODS
from motionrft.reporting.records import Records


def pack(joints: Tensor) -> str:
    """[T, 22, 3] metres -> base64 of int16 millimetres, first frame over the origin."""
    centred = joints - joints[0, 0] * torch.tensor([1.0, 0.0, 1.0])
    whole = (centred * 1000).round().clamp(-32768, 32767).to(torch.int16)
    return base64.b64encode(whole.numpy().tobytes()).decode()


def _choose(samples: Samples, count: int) -> list[int]:
    """Rows spread over the prompts, the same for every model of a run; captions not repeated."""
    step = max(len(samples) // (4 * count), 1)
    seen: dict[str, int] = {}
    for row in range(0, len(samples), step):
        seen.setdefault(samples.captions[row], row)
    return list(seen.values())[:count]


def models_of(records: Records, backbone: str) -> dict[str, Path]:
    """Sample files of a backbone's models by method, the first seed's."""
    files = sorted(records.folder.glob(f"evaluate/{backbone}/*/seed*/samples.safetensors"))
    found: dict[str, Path] = {}
    for path in files:
        found.setdefault(path.parts[-3], path)
    return found


def shown_first(records: Records, models: Iterable[str]) -> str | None:
    """Which of these models stands beside the base where one is shown: the paper's, else the run's first,
    baselines last."""
    preferred = (*OWN_METHODS, *records.against_base(), *records.run["methods"])
    return next((name for name in preferred if name in models), None)


def pair_of(
    records: Records, backbone: str, prompts: int = 3
) -> tuple[list[tuple[str, Samples]], list[int]] | None:
    """Base and the run's best-known method, and the rows to show; None before both exist."""
    files = models_of(records, backbone)
    method = shown_first(records, files)
    if "base" not in files or method is None:
        return None
    pair = [("base", read_samples(files["base"])), (method, read_samples(files[method]))]
    return pair, _choose(pair[0][1], prompts)


def players(records: Records, prompts: int = 6) -> list[dict[str, Any]]:
    """For each backbone: prompts, and for each of its models (base first) one packed motion a prompt."""
    result = []
    for backbone in records.run["backbones"]:
        files = models_of(records, backbone)
        if "base" not in files:
            continue
        base = read_samples(files["base"])
        rows = _choose(base, prompts)
        models = ["base", *(name for name in records.run["methods"] if name in files)]
        clips = []
        for name in models:
            samples = base if name == "base" else read_samples(files[name])
            clips.append({"model": name, "motions": [pack(samples.joints[row]) for row in rows]})
        result.append(
            {
                "backbone": backbone,
                "prompts": [base.captions[row] for row in rows],
                "models": clips,
                "beside": models.index(shown_first(records, models) or "base"),
            }
        )
    return result


def strips(records: Records, folder: Path) -> list[Path]:
    """Motion strips (paper Fig. 12): eight moments of a motion, base above fine-tuned, per backbone."""
    from matplotlib.collections import LineCollection

    from motionrft.motion.skeleton import SMPL_22
    from motionrft.reporting.style import PALETTE, pyplot, save

    written: list[Path] = []
    chains = [list(chain) for chain in SMPL_22.chains]
    for backbone in records.run["backbones"]:
        found = pair_of(records, backbone)
        if found is None:
            continue
        pair, rows = found
        figure, axes = pyplot().subplots(
            len(rows) * 2, 1, figsize=(8, 2.9 * len(rows)), layout="constrained", squeeze=False
        )
        for number, row in enumerate(rows):
            for line, (name, samples) in enumerate(pair):
                axis = axes[2 * number + line, 0]
                joints = samples.joints[row]
                moments = torch.linspace(0, len(joints) - 1, 8).long().tolist()
                limbs = []
                for place, frame in enumerate(moments):
                    pose = joints[frame] - joints[frame, 0] * torch.tensor([1.0, 0.0, 1.0])
                    across = 0.85 * pose[:, 0] + 0.5 * pose[:, 2] + 1.1 * place
                    drawn = torch.stack([across, pose[:, 1]], dim=1).numpy()
                    limbs += [drawn[chain] for chain in chains]
                colors = [PALETTE[index % 2] for index in range(len(chains))] * len(moments)
                axis.add_collection(LineCollection(limbs, colors=colors, lw=1.4, capstyle="round"))
                axis.axhline(0, color="0.8", lw=0.8, zorder=0)
                axis.set_aspect("equal")
                axis.set(xlim=(-0.8, 8.5), ylim=(-0.1, 2.25))
                axis.axis("off")
                caption = f"“{samples.captions[row]}”, {name}" if line == 0 else name
                axis.set_title(caption, fontsize=8, loc="left", pad=1)
        written += save(figure, folder, f"strips_{backbone}")
    return written


TILE, FPS, LINE = 220, 10, 4


def animations(records: Records, folder: Path) -> list[Path]:
    """`motions_<backbone>.gif`: base above fine-tuned, three prompts side by side, ten frames a second."""
    from motionrft.files import atomic

    written = []
    for backbone in records.run["backbones"]:
        found = pair_of(records, backbone)
        if found is None:
            continue
        path = folder / f"motions_{backbone}.gif"
        frames = film(*found)
        with atomic(path) as temporary:
            frames[0].save(
                temporary, format="GIF", save_all=True, append_images=frames[1:],
                duration=1000 // FPS, loop=0, optimize=True,
            )  # fmt: skip
        written.append(path)
    return written


def film(pair: list[tuple[str, Samples]], rows: list[int]) -> list[Any]:
    """Pictures of all chosen motions at each tenth of a second; shorter ones hold their last pose."""
    from PIL import Image, ImageDraw

    from motionrft.motion.skeleton import SMPL_22
    from motionrft.reporting.style import PALETTE

    longest = max(len(samples.joints[row]) for _, samples in pair for row in rows)
    pictures = []
    for frame in range(0, longest, 20 // FPS):
        picture = Image.new("RGB", (TILE * len(rows), TILE * len(pair)), "white")
        draw = ImageDraw.Draw(picture)
        for line, (name, samples) in enumerate(pair):
            for column, row in enumerate(rows):
                joints = samples.joints[row]
                pose = joints[min(frame, len(joints) - 1)]
                pose = pose - pose[0] * torch.tensor([1.0, 0.0, 1.0])
                left, floor = TILE * (column + 0.5), TILE * (line + 1) - 24
                x = left + 0.4 * TILE * (0.85 * pose[:, 0] + 0.5 * pose[:, 2])
                y = floor - 0.4 * TILE * pose[:, 1]
                points = np.stack([x.numpy(), y.numpy()], axis=1)
                draw.line([(left - 80, floor), (left + 80, floor)], fill="#cccccc")
                for index, chain in enumerate(SMPL_22.chains):
                    path = [tuple(points[joint]) for joint in chain]
                    draw.line(path, fill=PALETTE[1 if index % 2 else 0], width=LINE, joint="curve")
                draw.text((TILE * column + 6, TILE * line + 4), name, fill="black")
        pictures.append(picture)
    return pictures
