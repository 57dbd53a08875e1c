"""Motions for the page's player: the same prompt and noise before and after fine-tuning."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motionrft.corpus.samples import Samples, read_samples
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


def players(records: Records, prompts: int = 6) -> list[dict[str, Any]]:
    """For each backbone: prompts, and for each of its models (base first) one packed motion a prompt."""
    result = []
    for backbone in records.run["backbones"]:
        files = {
            path.parts[-3]: path
            for path in sorted(
                records.folder.glob(f"evaluate/{backbone}/*/seed0/samples.safetensors")
            )
        }
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
            {"backbone": backbone, "prompts": [base.captions[row] for row in rows], "models": clips}
        )
    return result


def strips(records: Records, folder: Path) -> list[Path]:
    """Motion strips (paper Fig. 12): eight moments of a motion, base above fine-tuned, per backbone."""
    from motionrft.motion.skeleton import SMPL_22
    from motionrft.reporting.style import PALETTE, pyplot, save

    written: list[Path] = []
    chains = [list(chain) for chain in SMPL_22.chains]
    for backbone in records.run["backbones"]:
        files = {
            path.parts[-3]: path
            for path in sorted(
                records.folder.glob(f"evaluate/{backbone}/*/seed0/samples.safetensors")
            )
        }
        method = next(
            (name for name in ("motionrft", "easytune", *records.run["methods"]) if name in files),
            None,
        )
        if "base" not in files or method is None:
            continue
        pair = [("base", read_samples(files["base"])), (method, read_samples(files[method]))]
        rows = _choose(pair[0][1], 3)
        plt = pyplot()
        figure, axes = plt.subplots(
            len(rows) * 2, 1, figsize=(8, 2.6 * len(rows)), layout="constrained", squeeze=False
        )
        for number, row in enumerate(rows):
            for line, (name, samples) in enumerate(pair):
                axis = axes[2 * number + line, 0]
                joints = samples.joints[row]
                for place, frame in enumerate(
                    torch.linspace(0, len(joints) - 1, 8).long().tolist()
                ):
                    pose = joints[frame] - joints[frame, 0] * torch.tensor([1.0, 0.0, 1.0])
                    across = 0.85 * pose[:, 0] + 0.5 * pose[:, 2] + 1.1 * place
                    for index, chain in enumerate(chains):
                        axis.plot(
                            across[chain],
                            pose[chain, 1],
                            color=PALETTE[1 if index % 2 else 0],
                            lw=1.3,
                            solid_capstyle="round",
                        )
                axis.axhline(0, color="0.8", lw=0.8, zorder=0)
                axis.set_aspect("equal")
                axis.axis("off")
                axis.set_title(f"“{samples.captions[row]}”  {name}", fontsize=8, loc="left", pad=1)
        written += save(figure, folder, f"strips_{backbone}")
    return written
