from __future__ import annotations

import pytest
import torch
from small_corpus import write_store, write_text

from motionrft.evaluation.evaluator_file import save_evaluator
from motionrft.evaluation.evaluators.t2m.training import train_evaluator
from motionrft.evaluation.scorer import Scorer
from motionrft.evaluation.settings import protocol

SETTINGS = {
    "loss": "infonce",
    "margin": 10.0,
    "min_frames": 20,
    "text_dropout": 0.0,
    "motion_noise": 0.0,
    "widths": {
        "movement_hidden": 16,
        "movement": 16,
        "motion_hidden": 16,
        "text_hidden": 16,
        "embedding": 12,
    },
    "train": {
        "steps": 60,
        "batch_size": 64,
        "lr": 5e-3,
        "validate_every": 20,
        "checkpoint_every": 25,
    },
}


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("corpus") / "features")


@pytest.fixture(scope="session")
def text(tmp_path_factory):
    return write_text(tmp_path_factory.mktemp("text") / "toy.safetensors")


@pytest.fixture(scope="session")
def trained(store, text, tmp_path_factory):
    """Path of a trained evaluator file and its training history."""
    folder = tmp_path_factory.mktemp("evaluator")
    evaluator, about, history = train_evaluator(SETTINGS, store, text, folder / "checkpoint", "cpu")
    save_evaluator(folder / "model.safetensors", evaluator, about)
    return folder / "model.safetensors", history


@pytest.fixture(scope="session")
def scorer(store, text, trained):
    """The small evaluator and corpus under the sound protocol."""
    plan = {"texts": 3, "repeats": 4, "pairs": 2, "replications": 1}
    rules = protocol("sound", group=16, min_frames=20, multimodality=plan)
    return Scorer(store, trained[0], text, rules)
