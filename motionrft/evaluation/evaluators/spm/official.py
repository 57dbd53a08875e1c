"""The released file of HY-Motion's evaluator, whose tensors have other names and one time embedding for both towers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from motionrft.checkpoints import LoadReport, load_into, read_checkpoint
from motionrft.errors import InputError
from motionrft.evaluation.evaluator import OfficialEvaluator
from motionrft.evaluation.evaluators.spm.model import SPM
from motionrft.evaluation.official import read_statistics, require
from motionrft.motion.normaliser import Normaliser
from motionrft.motion.representation import ROTATION
from motionrft.reward.network_settings import NetworkSettings
from motionrft.text.features import TextCache

HEADS = 4  # no tensor's shape tells
# what released names begin with -> what the reward network's do
RENAMED = {
    "skel_embedding.": "proj_135.proj.",
    "final_layer.": "final_layer_135.",
    "dist_motion_layer.": "dist_layer.",
    "query_motion_pos_encoder.": "query_pos_encoder.",
    "motion_encoder.": "encoder.",
}
TEXT_ENCODERS = ("clip.", "xlm.")  # a file may carry them; the text rule runs them
SOURCE = "t2m/evaluator.pth of the MotionRFT release"


def read_official(
    settings: dict[str, Any], text: str | Path | None, where: str
) -> OfficialEvaluator:
    """The network of the section's files; `text` is the cache of the encoder that it was trained with."""
    require(settings, ("mean", "std"), where)
    if text is None:
        raise InputError(
            "needed: this evaluator reads token states",
            where="train-evaluator",
            field="--text",
            fix="name the text feature file of sentence-T5",
        )
    cache = TextCache(text)
    normaliser = read_statistics(settings["mean"], settings["std"])
    evaluator, build, report = load_spm(settings["checkpoint"], normaliser)
    width = build["spm"]["text_dim"]
    if cache.token_dim != width:
        raise InputError(
            f"token states of width {cache.token_dim}, the evaluator reads {width}",
            where=text,
            field="evaluator.text",
            fix="use the encoder it was trained with, sentence-T5-large",
        )
    print(report)
    return OfficialEvaluator(evaluator, {"build": build, "text": cache.about}, {})


def settings_of(state: dict[str, Tensor], heads: int) -> NetworkSettings:
    """Sizes from the tensors' shapes."""

    def layers(tower: str) -> int:
        return 1 + 2 * sum(
            key.startswith(f"{tower}.linear_blocks.") and key.endswith(".weight") for key in state
        )

    width, dim = state["skel_embedding.weight"].shape
    return NetworkSettings(
        dims={ROTATION: dim},
        text_dim=state["text_embedding.weight"].shape[1],
        latent_dim=width,
        unified_dim=width,
        layers=layers("motion_encoder"),
        heads=heads,
        feedforward=len(state["motion_encoder.middle_block.linear1.bias"]),
        text_layers=layers("text_encoder"),
        text_heads=heads,
        text_feedforward=len(state["text_encoder.middle_block.linear1.bias"]),
        projection_layers=1,
    )


def load_spm(
    checkpoint: str | Path, normaliser: Normaliser, heads: int = HEADS
) -> tuple[SPM, dict[str, Any], LoadReport]:
    """The evaluator in eval mode, its `build` arguments, and what was read. Any mismatch is an error."""
    state = read_checkpoint(checkpoint, "state_dict", source=SOURCE)
    needed = ("skel_embedding.weight", "text_embedding.weight", "time_embedding.linear_1.weight")
    for key in needed:
        if key not in state:
            raise InputError(
                "tensor missing", where=checkpoint, field=f"state_dict.{key}", fix=f"use {SOURCE}"
            )
    ignored = sorted(key for key in state if key.startswith(TEXT_ENCODERS))
    state = {key: value for key, value in state.items() if key not in ignored}
    settings = settings_of(state, heads)
    if settings.dims[ROTATION] != len(normaliser.mean):
        raise InputError(
            f"the network reads {settings.dims[ROTATION]} features, the statistics have "
            f"{len(normaliser.mean)}",
            where=checkpoint,
            field="skel_embedding.weight",
            fix="use Mean.npy and Std.npy of joints_6d",
        )
    tensors = {}
    for key, value in state.items():
        released = next((name for name in RENAMED if key.startswith(name)), "")
        tensors[RENAMED.get(released, "") + key.removeprefix(released)] = value
        if key.startswith("time_embedding."):  # one for both towers there
            tensors[key.replace("time_embedding.", "time_embedding_text.")] = value
    evaluator = SPM(settings, normaliser)
    load_into(evaluator.network, tensors, checkpoint)
    report = LoadReport(str(checkpoint), sorted(set(state)), ignored)
    return evaluator.eval(), {"spm": settings.about()}, report
