"""Checkpoints of MLD and MotionLCM: {"state_dict": {"vae.…", "denoiser.…", networks of no use here}}."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from motionrft import checkpoints
from motionrft.backbones.mld.model import MLD

# evaluators, text encoder, reward model and control branch that the official trainers save along;
# the last two are tables that the official encoder-only denoiser creates and never reads
IGNORED = (
    "t2m_textencoder.",
    "t2m_moveencoder.",
    "t2m_motionencoder.",
    "text_encoder.",
    "reward_model.",
    "controlnet.",
    "traj_encoder.",
    "_losses.",
    "losses.",
    "TM2TMetrics.",
    "MMMetrics.",
    "TemosMetric.",
    "denoiser.mem_pos.pe",
    "denoiser.sequence_pos_encoding.pe",
)


def load(backbone: MLD, path: Path) -> checkpoints.LoadReport:
    """`vae.*` and `denoiser.*`; whatever is neither they nor among `IGNORED` is an error."""
    weights, ignored = checkpoints.split_ignored(
        checkpoints.read_checkpoint(path, "state_dict"), IGNORED
    )
    return checkpoints.LoadReport(
        str(path), checkpoints.load_into(backbone, weights, path), ignored
    )


def export(backbone: MLD, path: Path, like: Path | None) -> None:
    """The backbone's weights and, of `like`, all other networks: the official code loads strictly and expects its
    evaluators in the file."""
    weights, others = checkpoints.copies(backbone), dict[str, Tensor]()
    if like is not None:
        content = checkpoints.read_checkpoint(like, "state_dict")
        others = {name: tensor for name, tensor in content.items() if name not in weights}
    checkpoints.write_checkpoint(path, {"state_dict": {**weights, **others}})
