"""`motionrft.finetune(model, reward, …)`: fine-tuning of a loaded model on sentences, by a trained reward or one's own."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import pandas as pd
from torch import Tensor

from motionrft.backbones import lora
from motionrft.configuration import merge, part
from motionrft.errors import InputError
from motionrft.files import provenance
from motionrft.finetune.loop import Training
from motionrft.finetune.own_reward import JointFunction, JointTerm, Term, TrainedTerm, WeightedSum
from motionrft.finetune.sentence_prompts import SentencePrompts
from motionrft.finetune.settings import cell_settings
from motionrft.finetune.setup import assemble
from motionrft.inference.model import MotionModel
from motionrft.inference.reward import RewardModel

# what only a run from files has: a validation split, other budgets, the released code's own ways
OF_A_RUN = {
    "validate_every": 0, "select": "last", "patience": 0, "reward_ceiling": 0.0, "levels": "snr",
    "reward_state": "frozen", "sampled": False, "train_dropout": False, "compile": False,
    "trajectories": None, "denoiser_calls": None, "seconds": None,
}  # fmt: skip


class TunedModel(MotionModel):
    """A model with what its fine-tuning recorded: rows of (update, name, value), rewards by term among them."""

    record: pd.DataFrame


def finetune(
    model: MotionModel,
    reward: RewardModel | JointFunction | Mapping[RewardModel | JointFunction, float],
    method: str = "easytune",
    *,
    prompts: Sequence[str],
    updates: int = 50,
    seconds: float | None = None,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
) -> TunedModel:
    """A fine-tuned copy of `model`, which itself stays as it is. The same call gives the same weights.

    reward     what is to grow: a trained reward (`load_reward`), a function of the joints [T, J, 3] of one motion in
               metres (Y up) and its sentence that returns a number, or several of both with their weights,
               {reward: weight}. A method that differentiates its reward needs torch operations from joints to number.
    method     a file of config/methods; the weights of the reward's terms that it names do not count here
    prompts    sentences to train on, each with new noise every time
    updates    of the optimiser
    seconds    length of every motion (default: drawn, as the model's training clips' are)
    settings   any other key of a run's `finetune` section, over the method's own and config/finetune/small.yaml
               (lr, batch_size, kl, tune, memory_gib, …); validation and selection need a run

    Raises `InputError` for an unknown method or key, a reward without the gradient that the method needs, and a reward
    of another body or representation than the model's.
    """
    run = _run(model, method, updates, settings or {})
    section, name = run["methods"][method], model.about["backbone"]["name"]
    backbone = copy.deepcopy(model.backbone)
    copied = MotionModel(backbone, model.about, model.encoder, model.path)
    batches = SentencePrompts(copied, prompts, seconds, seed)
    [frames] = copied.frames(seconds, seed, 1)
    still = backbone.normaliser.mean.expand(frames, -1)  # a motion to try a function on
    summed = _reward(reward, copied, (still, batches.sentences[0]))
    tuning = assemble(run, name, method, seed, backbone, summed)
    if tuning.reads_motions or not tuning.method.trains:
        what = "learns from recorded motions" if tuning.method.trains else "trains nothing"
        raise _for_runs(f"{method} {what}", "method")
    cell, group = tuning.settings, tuning.method.group
    tuning = replace(
        tuning,
        batch=lambda k: batches(k, cell.batch_size // group).repeated(group),
        label=f"{name} {method}",
    )
    with tempfile.TemporaryDirectory() as folder:
        record = Training(tuning, Path(folder) / "checkpoint.pt").run()
    if tuning.adapters is not None:
        lora.merge(backbone)
    about = {
        **model.about,
        "finetune": {"method": section, "settings": asdict(cell), "seed": seed},
        "provenance": provenance(asdict(cell), seed=seed, device=str(tuning.device)),
    }
    result = TunedModel(backbone, about, model.encoder, model.path)
    result.record = record
    return result


def _run(
    model: MotionModel, method: str, updates: int, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """A run of one cell: the model's backbone, and the method's section with the given settings laid over it."""
    for name in sorted({*OF_A_RUN, "updates"} & settings.keys()):
        raise InputError(
            "no setting here",
            where="finetune",
            field=f"settings.{name}",
            fix="say updates=" if name == "updates" else "fine-tune with a run file",
        )
    section = part("methods", method, "finetune")
    if "semantic_stage" in section:
        stage = section["semantic_stage"]
        raise _for_runs(f"{method} is trained on the reward's stage {stage} alone", "method")
    if section.get("values"):
        raise _for_runs(f"{method} is trained on {', '.join(section['values'])} too", "method")
    given = {**settings, **OF_A_RUN, "references": False, "updates": updates}
    section = merge({**section, "name": method}, given)
    entry = model.about["backbone"]
    run = {
        "finetune": part("finetune", "small", "finetune"),
        "backbones": {entry["name"]: entry},
        "methods": {method: section},
    }
    cell_settings(run, entry["name"], method)  # a wrong key is said before a sentence is encoded
    return run


def _for_runs(problem: str, field: str) -> InputError:
    fix = "take another method, or fine-tune with a run file"
    return InputError(problem, where="finetune", field=field, fix=fix)


def _reward(
    reward: RewardModel | JointFunction | Mapping[RewardModel | JointFunction, float],
    model: MotionModel,
    example: tuple[Tensor, str],
) -> WeightedSum:
    parts = reward if isinstance(reward, Mapping) else {reward: 1.0}
    if not parts:
        raise InputError(
            "no reward", where="finetune", field="reward", fix="give at least one with its weight"
        )
    device = next(model.backbone.parameters()).device
    terms: dict[str, Term] = {}
    weights: dict[str, float] = {}
    for number, (one, weight) in enumerate(parts.items()):
        if isinstance(one, RewardModel):
            _check_same_body(model, one)
            name, term = "reward", cast(Term, TrainedTerm(one, model.representation, device))
        else:
            name = getattr(one, "__name__", "").strip("<>") or f"reward {number}"
            term = JointTerm(one, model.representation, example)
        name = name if name not in (*terms, "total") else f"{name} {number}"
        terms[name], weights[name] = term, float(weight)
    return WeightedSum(terms, weights, model.backbone.normaliser)


def _check_same_body(model: MotionModel, reward: RewardModel) -> None:
    """Raw features mean the same to both."""
    about, own = reward.store.about, model.about["corpus"]
    theirs = {
        "skeleton": reward.skeleton.name,
        "fps": reward.fps,
        **{key: about.get(key, own[key]) for key in ("compat", "bone_lengths")},
    }
    for key, value in theirs.items():
        if value != own[key]:
            raise InputError(
                f"trained on a corpus of {key} {value!r:.60}, the model on {own[key]!r:.60}",
                where="finetune",
                field="reward",
                fix="take a reward and a model of one corpus",
            )
