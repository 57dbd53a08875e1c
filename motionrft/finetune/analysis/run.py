"""The analyses of section 5 on a real backbone and reward: one function a record."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import torch

from motionrft.configuration import merge
from motionrft.finetune.analysis.gradients import gradient_norms
from motionrft.finetune.analysis.memory import footprint
from motionrft.finetune.analysis.similarity import noised_similarity
from motionrft.finetune.batch import noise_seeds
from motionrft.finetune.setup import Job, Sources, prepare
from motionrft.finetune.validation import spread

Analysis = Callable[[dict[str, Any], str, str, int, Sources, torch.device, int], pd.DataFrame]


def _prepared(
    run: dict[str, Any],
    backbone: str,
    method: str,
    seed: int,
    files: Sources,
    device: torch.device,
    rows: int,
) -> Job:
    changes = {
        "batch_size": rows,
        "slices": 1,
        "validate_every": 0,
        "select": "last",
        "patience": 0,
    }
    run = merge(run, {"finetune": changes, "methods": {method: changes}})
    return prepare(run, backbone, method, seed, files, device)


def gradients(*arguments: Any) -> pd.DataFrame:
    """Fig. 4, with the configured guidance and without: column `guided`."""
    job = _prepared(*arguments)
    course = job.course
    frames = []
    for guidance in sorted({1.0, course.sampler.guidance}):
        sampler = copy.copy(course.sampler)
        sampler.guidance = guidance
        frame = gradient_norms(
            sampler, course.objective(), course.material(0), list(course.trained)
        )
        frames.append(frame.assign(guidance=guidance))
    return pd.concat(frames, ignore_index=True)


def similarity(*arguments: Any) -> pd.DataFrame:
    """Fig. 5, on motions of the validation split."""
    job = _prepared(*arguments)
    course, data = job.course, job.data
    batch = data.held_out.rows(spread(len(data.held_out), arguments[-1])).to(course.device)
    material = data.wrap(batch, noise_seeds(0, 0, len(batch)))
    objective = course.objective()
    reward = job.yardstick.view(weights={**job.yardstick.weights, "m2m": 1.0})
    return noised_similarity(
        job.backbone, course.sampler, reward, list(objective.levels), batch, material
    )


def memory(*arguments: Any) -> pd.DataFrame:
    """Fig. 6 and 9, in every activation form: column `activations`."""
    course = _prepared(*arguments).course
    frames = []
    for form in ("plain", "checkpoint", "exact"):
        settings = replace(course.settings, activations=form, train_dropout=False)
        frames.append(footprint(replace(course, settings=settings)).assign(activations=form))
    return pd.concat(frames, ignore_index=True)


ANALYSE: dict[str, Analysis] = {"gradients": gradients, "similarity": similarity, "memory": memory}
