"""The released evaluators: Guo et al.'s `text_mot_match` and ACMDM's, read without running their code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motionrft import checkpoints
from motionrft.checkpoints import LoadReport, load_into, require_tensors
from motionrft.errors import InputError
from motionrft.evaluation.evaluators.evaluator import TextMotionMatch, Widths
from motionrft.evaluation.words import POS, WordTable
from motionrft.motion.normaliser import Normaliser

# the tensors whose shapes say how large a network is
SHAPES = {
    "movement_encoder": ("main.0.weight", "out_net.weight"),
    "motion_encoder": ("hidden", "output_net.3.weight"),
    "text_encoder": ("hidden", "input_emb.weight"),
}
NETWORKS = tuple(SHAPES)
WHERE_FROM = "text_mot_match/model/finest.tar of the text-to-motion release"


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The checkpoint's dictionary (tensors and numbers only)."""
    state = checkpoints.read_checkpoint(path, source=WHERE_FROM)
    missing = [name for name in NETWORKS if name not in state]
    if missing:
        raise InputError("no such part", where=path, field=missing[0], fix=f"use {WHERE_FROM}")
    return state


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


def read_statistics(mean: str | Path, std: str | Path) -> Normaliser:
    """The evaluator's own mean.npy and std.npy, which are not the training set's."""
    arrays = []
    for path in (mean, std):
        try:
            arrays.append(torch.from_numpy(np.load(path, allow_pickle=False)).float().flatten())
        except (OSError, ValueError) as error:
            raise InputError(
                f"unreadable ({error})",
                where=path,
                fix="use the .npy file beside the evaluator's checkpoint",
            ) from None
    if arrays[0].shape != arrays[1].shape or not bool((arrays[1] > 0).all()):
        raise InputError(
            "mean and std do not fit", where=std, field="std", fix="use both files of one release"
        )
    return Normaliser(*arrays)


def load_official(
    checkpoint: str | Path, normaliser: Normaliser, channels: str = "all but contacts"
) -> tuple[TextMotionMatch, dict[str, Any], LoadReport]:
    """The evaluator in eval mode, its `build` arguments, and what was read. Any mismatch is an error."""
    state = read_checkpoint(checkpoint)
    flat = {f"{name}.{key}" for name in NETWORKS for key in state[name]}
    needed = [f"{name}.{key}" for name, keys in SHAPES.items() for key in keys]
    require_tensors(flat, needed, checkpoint, WHERE_FROM)
    widths, inputs, word = widths_of(state)
    build = {"widths": vars(widths), "word": word, "pos": len(POS), "channels": channels}
    evaluator = TextMotionMatch(widths, normaliser, word=word, pos=len(POS), channels=channels)
    if evaluator.channels.stop != inputs:
        raise InputError(
            f"the motion network reads {inputs} channels, {len(normaliser.mean)} statistics give "
            f"{evaluator.channels.stop}",
            where=checkpoint,
            field="movement_encoder.main.0.weight",
            fix="use the mean and std of the same release, and the fitting `channels`",
        )
    matched = []
    for name in NETWORKS:
        matched += load_into(getattr(evaluator, name), state[name], checkpoint, f"{name}.")
    ignored = sorted(key for key in state if key not in NETWORKS)
    return evaluator.eval(), build, LoadReport(str(checkpoint), matched, ignored)


def table_tensors(table: WordTable) -> dict[str, Tensor]:
    """A word table as tensors of an evaluator file."""
    text = "\n".join(table.words).encode("utf-8")
    return {
        "words.vectors": table.vectors,
        "words.text": torch.frombuffer(bytearray(text), dtype=torch.uint8),
    }


def table_of(tensors: dict[str, Tensor]) -> WordTable:
    words = bytes(tensors["words.text"].numpy()).decode("utf-8").split("\n")
    return WordTable(words, tensors["words.vectors"])
