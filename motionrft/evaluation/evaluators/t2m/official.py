"""The released evaluators: Guo et al.'s `text_mot_match` and ACMDM's, read without running their code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from motionrft.checkpoints import LoadReport, load_into, read_checkpoint, require_tensors
from motionrft.errors import InputError
from motionrft.evaluation.clip_score import corpus_tensors
from motionrft.evaluation.evaluator import OfficialEvaluator
from motionrft.evaluation.evaluators.t2m.model import (
    ALL_BUT_CONTACTS,
    FIRST_67,
    TextMotionMatch,
    Widths,
)
from motionrft.evaluation.lengths import estimator_tensors, read_estimator
from motionrft.evaluation.official import read_statistics, require
from motionrft.evaluation.words import POS, read_glove, table_tensors
from motionrft.motion.normaliser import Normaliser

# the tensors whose shapes say how large a network is
SHAPES = {
    "movement_encoder": ("main.0.weight", "out_net.weight"),
    "motion_encoder": ("hidden", "output_net.3.weight"),
    "text_encoder": ("hidden", "input_emb.weight"),
}
NETWORKS = tuple(SHAPES)
SOURCE = "text_mot_match/model/finest.tar of the text-to-motion release"


def read_official(settings: dict[str, Any], features: str | Path, where: str) -> OfficialEvaluator:
    """The networks with their words and, where named, ACMDM's CLIP-score network and the length estimator."""
    require(settings, ("mean", "std", "glove"), where)
    if settings.get("clip_checkpoint") and settings["channels"] != FIRST_67:
        raise InputError(
            "CLIP-score reads ACMDM's 67 channels",
            where=where,
            field="evaluator.clip_checkpoint",
            fix="set evaluator.channels to 'first 67' and checkpoint, mean and std to ACMDM's",
        )
    normaliser = read_statistics(settings["mean"], settings["std"])
    evaluator, build, report = load_official(
        settings["checkpoint"], normaliser, settings["channels"]
    )
    print(report)
    extra = table_tensors(read_glove(settings["glove"]))
    if settings.get("clip_checkpoint"):
        extra |= corpus_tensors(
            settings["clip_checkpoint"], features, settings.get("clip_tokenizer")
        )
    if settings.get("length_checkpoint"):
        extra |= estimator_tensors(read_estimator(settings["length_checkpoint"]))
    return OfficialEvaluator(evaluator, {"build": build}, extra)


def widths_of(state: dict[str, Any]) -> tuple[Widths, int, int]:
    """Network sizes, input channels and word width, from the tensors' shapes."""
    movement, motion, text = (state[name] for name in NETWORKS)
    hidden, channels = movement["main.0.weight"].shape[:2]
    widths = Widths(
        hidden,
        movement["out_net.weight"].shape[0],
        motion["hidden"].shape[-1],
        text["hidden"].shape[-1],
        motion["output_net.3.weight"].shape[0],
    )
    return widths, channels, text["input_emb.weight"].shape[1]


def load_official(
    checkpoint: str | Path, normaliser: Normaliser, channels: str = ALL_BUT_CONTACTS
) -> tuple[TextMotionMatch, dict[str, Any], LoadReport]:
    """The evaluator in eval mode, its `build` arguments, and what was read. Any mismatch is an error."""
    state = read_checkpoint(checkpoint, source=SOURCE)
    for name in NETWORKS:
        if name not in state:
            raise InputError("no such part", where=checkpoint, field=name, fix=f"use {SOURCE}")
    tensors = {f"{name}.{key}": value for name in NETWORKS for key, value in state[name].items()}
    needed = [f"{name}.{key}" for name, keys in SHAPES.items() for key in keys]
    require_tensors(tensors, needed, checkpoint, SOURCE)
    widths, inputs, word = widths_of(state)
    build = {"widths": vars(widths), "word": word, "pos": len(POS), "channels": channels}
    evaluator = TextMotionMatch(widths, normaliser, word=word, pos=len(POS), channels=channels)
    if evaluator.channels != inputs:
        raise InputError(
            f"the motion network reads {inputs} channels, {len(normaliser.mean)} statistics give "
            f"{evaluator.channels}",
            where=checkpoint,
            field="movement_encoder.main.0.weight",
            fix="use the mean and std of the same release, and the fitting `channels`",
        )
    matched = load_into(evaluator, tensors, checkpoint)
    ignored = sorted(key for key in state if key not in NETWORKS)
    return evaluator.eval(), build, LoadReport(str(checkpoint), matched, ignored)
