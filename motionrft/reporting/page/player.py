"""Motions for the page's player: the same prompt and noise before and after fine-tuning."""

from __future__ import annotations

import base64
from typing import Any

import torch
from torch import Tensor

from motionrft.corpus.samples import read_samples
from motionrft.reporting.motions import centred, method_beside_base, rows_to_show, sample_files
from motionrft.reporting.records import Records


def pack(joints: Tensor) -> str:
    """[T, 22, 3] metres -> base64 of int16 millimetres, first frame over the origin."""
    whole = (centred(joints, joints[0]) * 1000).round().clamp(-32768, 32767).to(torch.int16)
    return base64.b64encode(whole.numpy().tobytes()).decode()


def players(records: Records, prompts: int = 6) -> list[dict[str, Any]]:
    """For each backbone: prompts, and for each of its models (base first) one packed motion a prompt."""
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
            clips.append({"model": name, "motions": [pack(samples.joints[row]) for row in rows]})
        result.append(
            {
                "backbone": backbone,
                "prompts": [base.captions[row] for row in rows],
                "models": clips,
                "beside": models.index(method_beside_base(records, models) or "base"),
            }
        )
    return result
