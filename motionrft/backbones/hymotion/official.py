"""HY-Motion's official file `latest.ckpt`: {model_state_dict} with the SMPL body model's buffers among the weights."""

from __future__ import annotations

from pathlib import Path

from motionrft.backbones.hymotion.model import HYMotion
from motionrft.checkpoints import (
    LoadReport,
    copies,
    load_into,
    read_checkpoint,
    split_ignored,
    write_checkpoint,
)

BODY = "body_model."


def load(backbone: HYMotion, path: Path) -> LoadReport:
    """All of the backbone. path: `latest.ckpt`, or the folder that holds it (beside `config.yml`)."""
    file = path / "latest.ckpt" if path.is_dir() else path
    weights, ignored = split_ignored(read_checkpoint(file, "model_state_dict"), (BODY,))
    return LoadReport(str(file), load_into(backbone, weights, file), ignored)


def export(backbone: HYMotion, path: Path, like: Path | None) -> None:
    """`model_state_dict` with the names of the official file; nothing of `like` is needed."""
    del like
    write_checkpoint(path, {"model_state_dict": copies(backbone)})
