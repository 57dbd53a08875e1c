"""HY-Motion's evaluator: the step-aware retrieval model ("SPM") that MotionReward grew out of.

One representation, the 135 rotation features, and the token states of sentence-T5: MotionReward's
network with one linear projection, d = u, and one time embedding for both towers, under other
names. Embeddings are normals; the released evaluation draws from them, so that even its row of real
motions is random. The mean is what the sound protocol reads, `protocol: hymotion` draws.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motionrft.checkpoints import LoadReport, load_into
from motionrft.errors import InputError
from motionrft.evaluation.evaluators.embedding import Evaluator
from motionrft.motion.normaliser import Normaliser
from motionrft.motion.representation import ROTATION
from motionrft.networks.masks import frame_mask
from motionrft.reward.latent import Latent
from motionrft.reward.network import NetworkSettings, RewardNetwork
from motionrft.reward.official import read_pth

HEADS = 4  # no tensor's shape tells
# what their names begin with -> what ours do
RENAMED = {
    "skel_embedding.": "proj_135.proj.",
    "final_layer.": "final_layer_135.",
    "dist_motion_layer.": "dist_layer.",
    "query_motion_pos_encoder.": "query_pos_encoder.",
    "motion_encoder.": "encoder.",
}
FOREIGN = ("clip.", "xlm.")  # text encoders that a file may carry; the text rule runs them
SOURCE = "t2m/evaluator.pth of the MotionRFT release"


class SPM(Evaluator):
    """Embeddings [N, 2 d]: mean and log-variance, which `points` turns into [N, d]."""

    reads = ROTATION

    def __init__(self, settings: NetworkSettings, normaliser: Normaliser, max_frames: int = 196):
        super().__init__(normaliser, max_frames)
        self.width = 2 * settings.latent_dim
        self.network = RewardNetwork(settings)

    def encode_motions(self, features: Tensor, lengths: Tensor) -> Tensor:
        latent = self.network.encode_motion(features, lengths.to(features.device), ROTATION)
        return torch.cat([latent.mean, latent.logvar], dim=-1)

    def encode_texts(self, words: Tensor, pos: Tensor | None, lengths: Tensor) -> Tensor:
        del pos
        mask = frame_mask(lengths.to(words.device), words.shape[1])
        latent = self.network.encode_text(words, mask)
        return torch.cat([latent.mean, latent.logvar], dim=-1)

    def points(self, embeddings: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return Latent.split(embeddings).draw(generator)


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
    state = read_pth(checkpoint).get("state_dict")
    needed = ("skel_embedding.weight", "text_embedding.weight", "time_embedding.linear_1.weight")
    for key in needed:
        if not isinstance(state, dict) or key not in state:
            raise InputError(
                "tensor missing", where=checkpoint, field=f"state_dict.{key}", fix=f"use {SOURCE}"
            )
    ignored = sorted(key for key in state if key.startswith(FOREIGN))
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
        theirs = next((name for name in RENAMED if key.startswith(name)), "")
        tensors[RENAMED.get(theirs, "") + key.removeprefix(theirs)] = value
        if key.startswith("time_embedding."):  # one for both towers there
            tensors[key.replace("time_embedding.", "time_embedding_text.")] = value
    evaluator = SPM(settings, normaliser)
    load_into(evaluator.network, tensors, checkpoint)
    report = LoadReport(str(checkpoint), sorted(set(state)), ignored)
    return evaluator.eval(), {"spm": settings.about()}, report
