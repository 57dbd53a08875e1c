"""Motions for the page's player: the recorded one, and the same prompt and noise before and after fine-tuning."""

from __future__ import annotations

import base64
import tempfile
import zlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motionrft.corpus.samples import Samples, read_samples
from motionrft.files import read_table
from motionrft.inference.export import export_bvh
from motionrft.inference.motion import Motion
from motionrft.motion.skeleton import SMPL_22
from motionrft.player.stick_figure import pack, player_data
from motionrft.reporting.motions import method_beside_base, rows_to_show, sample_files
from motionrft.reporting.records import Records

RECORDED = "recorded"


def players(
    records: Records,
    prompts: int = 4,
    *,
    bvh: bool = True,
    recorded: bool = True,
    pair: bool = False,
) -> dict[str, Any]:
    """What player.js reads: for each backbone sentences, and for each of its models one packed motion a sentence with
    what the evaluator says of it. The first backbone and sentence are those on which fine-tuning changes most.

    bvh: with files to download; recorded: with the recorded motions; pair: of a backbone's models the base and the one
    that stands beside it alone."""
    entries, changes = [], []
    references = _references(records) if recorded else {}
    for backbone in records.run["backbones"]:
        files = sample_files(records, backbone)
        if "base" not in files:
            continue
        models = ["base", *(name for name in records.run["methods"] if name in files)]
        tuned = method_beside_base(records, models)
        if pair:
            models = [name for name in models if name in ("base", tuned)]
        samples = {name: read_samples(files[name]) for name in models}
        rows = rows_to_show(samples["base"], prompts)
        change = [_apart(samples, row, tuned) for row in rows]
        rows = [row for _, row in sorted(zip(change, rows, strict=True), key=lambda pair: -pair[0])]
        clips = [
            {
                "model": name,
                "motions": [pack(samples[name].joints[row], SMPL_22) for row in rows],
                "facts": _facts(files[name], [samples[name].clips[row] for row in rows]),
            }
            | (
                {"bvh": [_bvh(samples[name].joints[row]) for row in rows]}
                if bvh and name in ("base", tuned)
                else {}
            )
            for name in models
        ]
        show = [0] if tuned is None else [0, models.index(tuned)]
        clips_shown = [samples["base"].clips[row] for row in rows]
        if all(clip in references for clip in clips_shown):
            motions = [references[clip] for clip in clips_shown]
            real = {"model": RECORDED, "motions": [pack(motion, SMPL_22) for motion in motions]}
            clips, show = [real, *clips], [0, *(place + 1 for place in show)]
        entries.append(
            {
                "backbone": backbone,
                "prompts": [samples["base"].captions[row] for row in rows],
                "models": clips,
                "show": show,
            }
        )
        changes.append(max(change, default=0.0))
    if entries:
        entries[changes.index(max(changes))]["first"] = True
    return player_data(SMPL_22, SMPL_22.fps, entries)


def _references(records: Records) -> dict[str, Tensor]:
    """The recorded motions [T, J, 3] that the run kept, by clip."""
    path = records.folder / "evaluate/real/base/seed0/samples.safetensors"
    if not path.exists():
        return {}
    samples = read_samples(path)
    return dict(zip(samples.clips, samples.joints, strict=True))


def _apart(samples: dict[str, Samples], row: int, tuned: str | None) -> float:
    """Mean distance, in metres, of the joints of base and fine-tuned, both over their own root."""
    if tuned is None:
        return 0.0
    one, other = (samples[name].joints[row] for name in ("base", tuned))
    frames = min(len(one), len(other))
    poses = [joints[:frames] - joints[:frames, :1] for joints in (one, other)]
    return float(torch.linalg.vector_norm(poses[0] - poses[1], dim=-1).mean())


def _facts(samples: Path, clips: list[str]) -> list[str]:
    """Of each clip, what the evaluation that kept these samples says of its motion: the evaluator's distance of motion
    and sentence, and the rank of the sentence among 32; empty where it says nothing."""
    path = samples.with_name("per_prompt.parquet")
    if not path.exists():
        return [""] * len(clips)
    frame = read_table(path)[0]
    first = frame[frame["replication"].eq(0)].drop_duplicates("clip").set_index("clip")
    return [
        f"distance to the sentence {first.at[clip, 'matching']:.2f}, rank {first.at[clip, 'rank']:.0f}"
        if clip in first.index
        else ""
        for clip in clips
    ]


def _bvh(joints: Tensor) -> str:
    """The motion as a BVH file, deflated, in base64."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "motion.bvh"
        export_bvh(path, Motion(joints, SMPL_22.fps))
        return base64.b64encode(zlib.compress(path.read_bytes(), 9)).decode()
