"""Checkpoints of MLD and MotionLCM: {"state_dict": {"vae.…", "denoiser.…", networks of no use here}}."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from motionrft.backbones.base import LoadReport
from motionrft.backbones.official_files import (
    copies,
    load_strict,
    read_checkpoint,
    split_ignored,
    write_checkpoint,
)

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


def read_official(module: nn.Module, path: str | Path) -> LoadReport:
    """Loads `vae.*` and `denoiser.*` strictly; whatever is not known to be idle is an error."""
    used, ignored = split_ignored(read_checkpoint(path, "state_dict"), IGNORED)
    return LoadReport(str(path), load_strict(module, used, path), ignored)


def write_official(module: nn.Module, path: str | Path, like: str | Path | None = None) -> None:
    """Writes the official layout. `like`: an official file whose other networks are carried over;
    the official code loads strictly and expects its evaluators in the file."""
    own, others = copies(module), dict[str, Tensor]()
    if like is not None:
        content = read_checkpoint(like, "state_dict")
        others = {name: tensor for name, tensor in content.items() if name not in own}
    write_checkpoint(path, {"state_dict": {**own, **others}})
