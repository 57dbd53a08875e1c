"""ACMDM's official files, a `checkpoints/t2m` folder:

<name>/model/latest.tar                    {acmdm, ema_acmdm, opt_acmdm, scheduler, ep, total_it}
AE_2D_Causal/model/latest.tar              {ae, ep, total_it}
AE_2D_Causal/AE_2D_Causal_Post_{Mean,Std}.npy   latent statistics
Mean_22x3.npy, Std_22x3.npy                joint statistics; official code reads them from its data folder
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motionrft import checkpoints
from motionrft.backbones.acmdm.model import ACMDM
from motionrft.backbones.acmdm.transformer import JOINTS
from motionrft.contents import read_array, read_statistics
from motionrft.errors import InputError
from motionrft.files import atomic

AUTOENCODER = "AE_2D_Causal"
MEAN, STD = "Mean_22x3.npy", "Std_22x3.npy"
POST_MEAN, POST_STD = f"{AUTOENCODER}_Post_Mean.npy", f"{AUTOENCODER}_Post_Std.npy"
SIZES = {8: "S", 12: "B", 16: "L", 20: "XL"}  # by layers
# metres, utils/22x3_mean_std/t2m of the official code
SHIPPED_MEAN = (0.000163452, 0.376631616, 0.310191244)
SHIPPED_STD = (0.5147618, 0.6101322, 0.8715584)


def official_name(backbone: ACMDM) -> str:
    layers = len(backbone.denoiser.ACMDMTransformer)
    raw = "Raw_" if backbone.autoencoder is None else ""
    size = SIZES.get(layers, f"{layers}L")
    return f"ACMDM_{raw}Flow_{size}_PatchSize{backbone.denoiser.patch}"


@torch.no_grad()
def load(backbone: ACMDM, path: Path) -> checkpoints.LoadReport:
    """All of the backbone: the averaged weights, as the official evaluation.

    path: the `checkpoints/t2m` folder, or the denoiser's `model/latest.tar` inside it.
    """
    root, file = _locate(path)
    state, ignored = checkpoints.split_ignored(
        checkpoints.read_checkpoint(file, "ema_acmdm", "acmdm"), ("clip_model.",)
    )
    matched = checkpoints.load_into(backbone.denoiser, state, file, "denoiser.")
    if backbone.autoencoder is not None:
        folder = root / AUTOENCODER
        encoder = folder / "model" / "latest.tar"
        weights = checkpoints.read_checkpoint(encoder, "ae")
        matched += checkpoints.load_into(backbone.autoencoder, weights, encoder, "autoencoder.")
        channels = len(backbone.latent_mean)
        backbone.latent_mean.copy_(_statistic(folder / POST_MEAN, channels))
        backbone.latent_std.copy_(_statistic(folder / POST_STD, channels, deviation=True))
        matched += ["latent_mean", "latent_std"]
    if (root / MEAN).exists():
        mean, std = _statistic(root / MEAN, 3), _statistic(root / STD, 3, deviation=True)
        note = f"joints normalised by {root / MEAN} and {STD}"
    else:
        mean, std = torch.tensor(SHIPPED_MEAN), torch.tensor(SHIPPED_STD)
        note = "joints normalised by the statistics shipped with the official code"
    backbone.statistics.mean.copy_(mean.expand(JOINTS, 3).flatten())
    backbone.statistics.std.copy_(std.expand(JOINTS, 3).flatten())
    return checkpoints.LoadReport(str(file), matched, ignored, (note,))


def export(backbone: ACMDM, root: Path, like: Path | None) -> None:
    """Writes a `checkpoints/t2m` folder; official files hold nothing else that could be carried over from `like`."""
    del like
    state, progress = checkpoints.copies(backbone.denoiser), {"ep": 0, "total_it": 0}
    optimiser: dict[str, Any] = {"opt_acmdm": {}, "scheduler": {}}
    checkpoints.write_checkpoint(
        root / official_name(backbone) / "model" / "latest.tar",
        {"acmdm": state, "ema_acmdm": state, **optimiser, **progress},
    )
    statistics = {MEAN: _by_axis(backbone.statistics.mean), STD: _by_axis(backbone.statistics.std)}
    if backbone.autoencoder is not None:
        weights = checkpoints.copies(backbone.autoencoder)
        checkpoints.write_checkpoint(
            root / AUTOENCODER / "model" / "latest.tar", {"ae": weights, **progress}
        )
        statistics[f"{AUTOENCODER}/{POST_MEAN}"] = backbone.latent_mean
        statistics[f"{AUTOENCODER}/{POST_STD}"] = backbone.latent_std
    for name, value in statistics.items():
        with atomic(root / name) as temporary:
            np.save(temporary, value.cpu().numpy())


def _locate(path: Path) -> tuple[Path, Path]:
    """The `checkpoints/t2m` folder and the denoiser's file."""
    if path.is_file():
        return path.resolve().parents[2], path
    files = sorted(path.glob("*/model/latest.tar"))
    denoisers = [file for file in files if file.parents[1].name != AUTOENCODER]
    if len(denoisers) != 1:
        raise InputError(
            f"{len(denoisers)} denoisers (<name>/model/latest.tar) in there",
            where=path,
            fix="name one latest.tar",
        )
    return path, denoisers[0]


def _by_axis(values: Tensor) -> Tensor:
    """[66] -> [3] if all joints share their numbers (the official layout), else [22, 3]."""
    table = values.view(JOINTS, 3)
    return table[0] if bool((table == table[0]).all()) else table


def _statistic(path: Path, channels: int, *, deviation: bool = False) -> Tensor:
    """[channels], or for joints [22, channels]."""
    array = read_array(path, "take it from the official archive")
    read_statistics(path, deviation=deviation)
    value = torch.from_numpy(array).float()
    if value.shape not in ((channels,), (JOINTS, channels)):
        raise InputError(
            f"shape {tuple(value.shape)}, expected ({channels},)",
            where=path,
            fix="use the statistics of this model",
        )
    return value
