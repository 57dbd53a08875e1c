"""HY-Motion's official file `latest.ckpt`: {model_state_dict} with the SMPL body model's buffers among the weights."""

from __future__ import annotations

from pathlib import Path

from motionrft import checkpoints
from motionrft.backbones.hymotion.model import HYMotion

BODY = "body_model."


def load(backbone: HYMotion, path: Path) -> checkpoints.LoadReport:
    """All of the backbone. path: `latest.ckpt`, or the folder that holds it (beside `config.yml`)."""
    file = path / "latest.ckpt" if path.is_dir() else path
    weights, ignored = checkpoints.split_ignored(
        checkpoints.read_checkpoint(file, "model_state_dict"), (BODY,)
    )
    return checkpoints.LoadReport(
        str(file), checkpoints.load_into(backbone, weights, file), ignored
    )


def export(backbone: HYMotion, path: Path, like: Path | None) -> None:
    """`model_state_dict` with the names of the official file; nothing of `like` is needed."""
    del like
    checkpoints.write_checkpoint(path, {"model_state_dict": checkpoints.copies(backbone)})
