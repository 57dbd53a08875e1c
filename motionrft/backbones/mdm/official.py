"""MDM's official files: `model*.pt` with `args.json` beside it.

A file holds plain weights, or {model, model_avg} of which the average is taken. It stores the position table twice
and, before December 2022, the CLIP it was trained with (`motionrft.backbones.embedded_clip` takes that).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motionrft import checkpoints
from motionrft.backbones.mdm.model import MDM
from motionrft.errors import InputError
from motionrft.files import read_json, write_json
from motionrft.networks.positions import interleaved_sinusoid

CLIP = "clip_model."
ARGUMENTS = "args.json"
KIT_DIM = 251  # features a frame, 263 of HumanML3D
TABLES = ("sequence_pos_encoder.pe", "embed_timestep.sequence_pos_encoder.pe")


def load(backbone: MDM, path: Path) -> checkpoints.LoadReport:
    """All of the backbone from `path`. An `args.json` beside it must agree with the network's options.

    The stored position tables are checked and replaced by our own of the same length; a mean.npy and std.npy
    beside the file become the network's normalisation.
    """
    check_arguments(backbone, path.with_name(ARGUMENTS))
    stored = weights(path)
    tables = {name: stored[name] for name in TABLES if name in stored}
    for name, table in tables.items():
        check_table(table, backbone.options.latent_dim, path, name)
    rest = {name: tensor for name, tensor in stored.items() if name not in tables}
    rest, ignored = checkpoints.split_ignored(rest, (CLIP,))
    checkpoints.load_into(backbone, {**rest, **backbone.statistics.in_backbone()}, path)
    rows = max((len(table) for table in tables.values()), default=0)
    if rows >= backbone.positions_read():
        backbone.set_positions(rows)
    note = backbone.statistics.read_beside(path)
    return checkpoints.LoadReport(str(path), [*rest, *tables], ignored, (note,))


def export(backbone: MDM, path: Path, like: Path | None) -> None:
    """Both position tables, {model, model_avg} where it averages; of `like` the CLIP, where it holds one. The
    `args.json` that the official sampler asks for goes beside it."""
    arguments = path.with_name(ARGUMENTS)
    check_arguments(backbone, arguments)
    tensors, _ = checkpoints.split_ignored(checkpoints.copies(backbone), ("statistics.",))
    for name in TABLES:
        tensors[name] = backbone.pe[:, None].cpu().clone()
    if like is not None:
        stored = weights(like)
        tensors |= {name: value for name, value in stored.items() if name.startswith(CLIP)}
    nested = {"model": tensors, "model_avg": tensors}
    checkpoints.write_checkpoint(path, nested if backbone.options.average else tensors)
    if not arguments.exists():
        write_json(arguments, arguments_of(backbone))


def arguments_of(backbone: MDM) -> dict[str, Any]:
    """What the official code reads from `args.json` to build this network and its diffusion (`utils/parser_util.py`:
    the groups dataset, model and diffusion, without paths and loss weights)."""
    options = backbone.options
    return {
        "dataset": "kit" if backbone.dim == KIT_DIM else "humanml",
        "arch": options.arch,
        "text_encoder_type": options.text,
        "emb_trans_dec": options.decoder_token != "none",
        "emb_policy": options.emb_policy,
        "layers": options.layers,
        "latent_dim": options.latent_dim,
        "cond_mask_prob": options.cond_mask_prob,
        "mask_frames": options.mask_frames,
        "pos_embed_max_len": len(backbone.pe),
        "use_ema": options.average,
        "unconstrained": False,
        "noise_schedule": "cosine",
        "diffusion_steps": len(backbone.forward_process),
        "sigma_small": True,
    }


def weights(path: Path) -> dict[str, Tensor]:
    """The weights of an official file: the average where there is one."""
    return checkpoints.read_checkpoint(path, "model_avg", "model", flat=True)


def check_table(table: Tensor, width: int, path: Path, name: str) -> None:
    """A stored position table must be the sinusoid of the network's width."""
    expected = interleaved_sinusoid(len(table), width)[:, None]
    if table.shape != expected.shape or not torch.allclose(table.float(), expected, atol=1e-4):
        raise InputError(
            "not the sinusoidal table of this width",
            where=path,
            field=name,
            fix="set network.latent_dim to the checkpoint's",
        )


def check_arguments(backbone: MDM, path: Path) -> None:
    """What the weights' shapes cannot tell, against the `args.json` beside them; absent entries
    have the official defaults."""
    if not path.is_file():
        return
    stored, options = read_json(path), backbone.options
    expected = {
        "diffusion_steps": (len(backbone.forward_process), 1000),
        "mask_frames": (options.mask_frames, False),
        "emb_trans_dec": (options.decoder_token != "none", False),
        "text_encoder_type": (options.text, "clip"),
        "emb_policy": (options.emb_policy, "add"),
    }
    for name, (value, default) in expected.items():
        if stored.get(name, default) != value:
            raise InputError(
                f"trained with {stored.get(name, default)}, but the network has {value}",
                where=path,
                field=name,
                fix="correct the `network:` section of the backbone's file",
            )
