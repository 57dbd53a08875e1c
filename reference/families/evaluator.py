"""The evaluator networks on recorded weights: T2M, ACMDM's 67 channels, MotionCLIP's motion tower."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from motionrft.checkpoints import load_into
from motionrft.evaluation.evaluators.t2m.losses import margin_loss
from motionrft.evaluation.evaluators.t2m.model import MotionEncoder, MovementEncoder, TextEncoder
from motionrft.evaluation.motionclip import MotionTower
from reference.case import Case
from reference.tolerance import summed

FAMILY = "evaluator"
CLIP = "acmdm_clip_motion_encoder."
CLIP_HEADS = 4  # of the recorded small tower; a set may say otherwise in cfg.clip_heads


def recognises(case: Case) -> bool:
    return {"movement_encoder.out_net.weight", "text_embedding"} <= set(case.tensors)


def check(case: Case, cases: dict[str, Case]) -> None:
    del cases
    cfg = case.number("cfg")
    atol = float(case.number("atol"))
    where = case.folder / f"{case.name}.safetensors"
    channels = cfg["pose"] - 4
    movement = MovementEncoder(channels, cfg["mov_hidden"], cfg["mov_latent"]).eval()
    motion = MotionEncoder(cfg["mov_latent"], cfg["motion_hidden"], cfg["coemb"]).eval()
    text = TextEncoder(cfg["word"], cfg["pos"], cfg["text_hidden"], cfg["coemb"]).eval()
    for name, network in (("movement", movement), ("motion", motion), ("text", text)):
        load_into(network, case.inputs(f"{name}_encoder."), where)
    motions, lengths = case.input("motions"), case.input("m_lens")
    tokens = lengths // cfg["unit"]
    movements = movement(motions[..., :channels])
    case.compare("movements", movements, atol=atol)
    embedded = motion(movements, tokens)
    case.compare("motion_embedding", embedded, atol=atol)
    case.compare(
        "cfg",
        [*motions.shape, embedded.shape[1]],
        expected=[cfg["B"], cfg["T"], cfg["pose"], cfg["coemb"]],
    )
    texts = text(case.input("words"), case.input("pos_onehot"), case.input("cap_lens"))
    case.compare("text_embedding", texts, atol=atol)
    order = case.input("sort_idx")
    # by length, longest first; among equals the later one first
    own = sorted(range(len(lengths)), key=lambda row: (-int(lengths[row]), -row))
    case.compare("sort_idx", own)
    case.compare("wrapper_motion_embedding_sorted", embedded[order], atol=atol)
    case.compare("wrapper_text_embedding_sorted", texts[order], atol=atol)
    leaked = _leak(motions, lengths, case)
    case.compare(
        "motion_embedding_pad_root_y", motion(movement(leaked[..., :channels]), tokens), atol=atol
    )
    _losses(case, texts, embedded)
    if f"{CLIP}query_token" in case.tensors:
        _acmdm(case, motions, lengths, motion, cfg, atol)
    case.require_numbers()


def _leak(motions: Tensor, lengths: Tensor, case: Case) -> Tensor:
    """Padded frames with the root height that `probe` records (padding in the training space)."""
    (channel,) = case.stated("probe", r"channel\s*(\d+)", 3)
    (height,) = case.stated("probe", r"=\s*(-?\d+(?:\.\d+)?)", 3.4365)
    padded = torch.arange(motions.shape[1])[None] >= lengths[:, None]
    leaked = motions.clone()
    leaked[..., int(channel)] = torch.where(padded, height, leaked[..., int(channel)])
    return leaked


def _losses(case: Case, texts: Tensor, motions: Tensor) -> None:
    apart = summed(texts.shape[1])  # squares, of the width of an embedding
    for found in case.matching(r"contrastive_neg_shift(\d+)_margin(\d+(?:\.\d+)?)"):
        positive, negative = margin_loss(texts, motions, int(found[1]), float(found[2]))
        case.compare(found[0], negative.reshape(case.tensors[found[0]].shape), rtol=apart)
        if "contrastive_pos" in case.tensors:
            expected = case.tensors["contrastive_pos"]
            case.compare("contrastive_pos", positive.reshape(expected.shape), rtol=apart)


def _acmdm(
    case: Case,
    motions: Tensor,
    lengths: Tensor,
    motion: MotionEncoder,
    cfg: dict[str, Any],
    atol: float,
) -> None:
    where = case.folder / f"{case.name}.safetensors"
    weights = case.inputs("acmdm_movement_encoder.")
    channels = weights["main.0.weight"].shape[1]
    movement = MovementEncoder(channels, cfg["mov_hidden"], cfg["mov_latent"]).eval()
    load_into(movement, weights, where)
    # ACMDM counts joint frames, of which features lose one
    rows = lengths - 1
    embedded = motion(movement(motions[..., :channels]), rows // cfg["unit"])
    case.compare("acmdm_motion_embedding", embedded, atol=atol)
    tower_weights = case.inputs(CLIP)
    width = tower_weights["query_token"].shape[1]
    layers = 1 + max(
        int(key.split(".")[2]) for key in tower_weights if key.startswith("transformer.layers.")
    )
    feedforward = len(tower_weights["transformer.layers.0.linear1.bias"])
    out = len(tower_weights["out.bias"])
    heads = cfg.get("clip_heads", CLIP_HEADS)
    tower = MotionTower(channels, width, heads, feedforward, layers, out).eval()
    own_table = tower.sequence_pos_encoder.state_dict(prefix="sequence_pos_encoder.")
    load_into(tower, {**own_table, **tower_weights}, where)
    raw = tower(motions[..., :channels], rows)
    case.compare("acmdm_clip_motion_embedding_raw", raw, atol=atol)
    case.compare("acmdm_clip_motion_embedding_unit", F.normalize(raw, dim=-1), atol=atol)
