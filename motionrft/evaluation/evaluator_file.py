"""An evaluator as a file: weights, statistics, and whose evaluator it is.

Its label, self-trained or official, goes with every number, since scores of different evaluators are not comparable.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motionrft.checkpoints import load_into
from motionrft.corpus.store import FeatureStore
from motionrft.errors import InputError
from motionrft.evaluation import evaluators
from motionrft.evaluation.evaluator import Evaluator
from motionrft.files import read_tensors, write_tensors
from motionrft.motion.normaliser import Normaliser
from motionrft.motion.representation import KINEMATIC

SELF_TRAINED, OFFICIAL = "self-trained", "official"
# what an evaluator's file may hold beside the network: see `words`, `clip_score` and `lengths`
EXTRA = ("words.", "clip.", "lengths.")


def corpus_digest(store: FeatureStore) -> str:
    """Twelve hex digits that name a corpus: its clips, their lengths and splits, and its statistics."""
    normaliser = store.normaliser(KINEMATIC)
    state = hashlib.sha256(normaliser.mean.numpy().tobytes() + normaliser.std.numpy().tobytes())
    clips = store.clips[["clip", "frames", "split"]].astype(str)
    for column in clips.columns:
        state.update("\n".join(clips[column]).encode())
    return state.hexdigest()[:12]


def save_evaluator(
    path: str | Path,
    evaluator: Evaluator,
    about: dict[str, Any],
    extra: dict[str, Tensor] | None = None,
) -> None:
    """All weights and statistics. about: {"label", "corpus", "build": arguments of the kind's `build`, "settings":
    the `evaluator:` section, …}; extra: further tensors, their names beginning as in `EXTRA`."""
    missing = {"label", "corpus", "build"} - set(about)
    if missing:
        raise ValueError(f"about lacks {sorted(missing)}")
    tensors = dict(evaluator.state_dict()) | (extra or {})
    tensors["normaliser.mean"] = evaluator.normaliser.mean
    tensors["normaliser.std"] = evaluator.normaliser.std
    write_tensors(path, tensors, about)


def load_evaluator(
    path: str | Path, *, corpus: str | None = None, device: torch.device | str = "cpu"
) -> tuple[Evaluator, dict[str, Any], dict[str, Tensor]]:
    """The evaluator in eval mode, the file's `about`, and what else it holds (`words.…`, `clip.…`, `lengths.…`).

    corpus: digest of the corpus to be scored. A self-trained evaluator of another corpus is an error.
    """
    tensors, about = read_tensors(path)
    if "build" not in about or "normaliser.mean" not in tensors:
        raise InputError(
            "not an evaluator file of this suite", where=path, fix="run the train-evaluator rule"
        )
    if corpus is not None and about["label"] == SELF_TRAINED and about["corpus"] != corpus:
        raise InputError(
            f"trained on corpus {about['corpus']}, asked to judge corpus {corpus}",
            where=path,
            field="corpus",
            fix="train an evaluator on this corpus, or pass --any-corpus if you mean it",
        )
    normaliser = Normaliser(tensors.pop("normaliser.mean"), tensors.pop("normaliser.std"))
    extra = {name: tensors.pop(name) for name in list(tensors) if name.startswith(EXTRA)}
    kind = evaluators.load(about.get("settings", {}).get("network", evaluators.DEFAULT))
    evaluator = kind.build(about["build"], normaliser)
    load_into(evaluator, tensors, path)
    return evaluator.to(device).eval(), about, extra
