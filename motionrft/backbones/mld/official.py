"""Checkpoints of MLD and MotionLCM: {"state_dict": {"vae.…", "denoiser.…", networks of no use here}}."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from motionrft import checkpoints
from motionrft.backbones.mld.model import MLD
from motionrft.errors import InputError

# MLD's own code saves this table, MotionLCM's has none: the only trace of which of the two wrote a file
ORIGINAL = "denoiser.mem_pos.pe"
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
    ORIGINAL,
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


def check_text(report: checkpoints.LoadReport, kind: str) -> None:
    """MLD was trained on CLIP ViT-L/14's texts, MotionLCM's MLD on sentence-T5's: vectors of one width, so that the
    wrong ones would be taken without a word."""
    if ORIGINAL in report.ignored and not kind.startswith("clip"):
        raise InputError(
            f"MLD's original file, trained with CLIP ViT-L/14; this backbone reads {kind}",
            where=report.path,
            field=ORIGINAL,
            fix="use MotionLCM's mld_humanml_v1.ckpt, or set this backbone's text to clip-l",
        )


def export(backbone: MLD, path: Path, like: Path | None) -> None:
    """The backbone's weights and, of `like`, all other networks: the official code loads strictly and expects its
    evaluators in the file."""
    weights, others = checkpoints.copies(backbone), dict[str, Tensor]()
    if like is not None:
        content = checkpoints.read_checkpoint(like, "state_dict")
        others = {name: tensor for name, tensor in content.items() if name not in weights}
    checkpoints.write_checkpoint(path, {"state_dict": {**weights, **others}})
