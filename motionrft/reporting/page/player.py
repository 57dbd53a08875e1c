"""Motions for the page's player: the same prompt and noise before and after fine-tuning."""

from __future__ import annotations

from typing import Any

from motionrft.corpus.samples import read_samples
from motionrft.motion.skeleton import SMPL_22
from motionrft.player.stick_figure import pack, player_data
from motionrft.reporting.motions import method_beside_base, rows_to_show, sample_files
from motionrft.reporting.records import Records


def players(records: Records, prompts: int = 6) -> dict[str, Any]:
    """What player.js reads. For each backbone: prompts, and for each of its models (base first) one packed motion a prompt."""
    result = []
    for backbone in records.run["backbones"]:
        files = sample_files(records, backbone)
        if "base" not in files:
            continue
        base = read_samples(files["base"])
        rows = rows_to_show(base, prompts)
        models = ["base", *(name for name in records.run["methods"] if name in files)]
        clips = []
        for name in models:
            samples = base if name == "base" else read_samples(files[name])
            clips.append(
                {"model": name, "motions": [pack(samples.joints[row], SMPL_22) for row in rows]}
            )
        result.append(
            {
                "backbone": backbone,
                "prompts": [base.captions[row] for row in rows],
                "models": clips,
                "beside": models.index(method_beside_base(records, models) or "base"),
            }
        )
    return player_data(SMPL_22, SMPL_22.fps, result)
