"""ACMDM's 67 channels from joints as they come: clip alone, and padded as its evaluation pads.

The files hold evaluator inputs without the statistics that made them. Since those are one scale and shift a
channel, they are fitted on the recorded pairs, and then every clip's input is checked under that one pair.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from motionrft.motion import acmdm
from motionrft.verify.case import Case

FAMILY = "acmdm67"
PADDED, INPUT = "feat67_padded", "eval_input_padded"


def recognises(case: Case) -> bool:
    return any(key.endswith(".feat67") for key in case.tensors)


def check(case: Case, cases: dict[str, Case]) -> None:
    atol = float(case.meta.get("atol", 2e-5))
    names = sorted(key.removesuffix(".feat67") for key in case.tensors if key.endswith(".feat67"))
    joints = [case.input(f"{name}.joints") for name in names]
    lengths = torch.tensor([len(clip) for clip in joints])
    alone, frames = acmdm.features(pad_sequence(joints, batch_first=True), lengths)
    fitted: list[tuple[str, Tensor, Tensor]] = []
    for row, name in enumerate(names):
        case.compare(f"{name}.feat67", alone[row, : frames[row]], atol=atol)
        for key in (key for key in case.tensors if key.startswith(f"{name}.{PADDED}")):
            size = len(case.input(key)) + 1
            clip = joints[row].new_zeros(1, size, *joints[row].shape[1:])
            clip[0, : lengths[row]] = joints[row]
            padded = acmdm.features_padded(clip, lengths[row : row + 1])[0]
            case.compare(key, padded, atol=atol)
            _listed(case, name, alone[row, : frames[row]], padded)
            fitted.append((key.replace(PADDED, INPUT), case.input(key), padded))
    _inputs(case, fitted)


def _listed(case: Case, name: str, alone: Tensor, padded: Tensor) -> None:
    listed = case.meta.get("info", {}).get(name, {})
    valid = len(alone)
    found = {
        "len": float(valid + 1),
        "nan": float(padded.isnan().any()),
        "pad_vs_nopad_max_over_valid": float((padded[:valid] - alone).abs().max()),
    }
    for key, value in found.items():
        if key in listed:
            tolerance = 2e-5 if key.startswith("pad") else 0.0
            case.compare(f"info.{name}.{key}", value, expected=float(listed[key]), atol=tolerance)


def _inputs(case: Case, pairs: list[tuple[str, Tensor, Tensor]]) -> None:
    pairs = [pair for pair in pairs if pair[0] in case.tensors]
    if not pairs:
        return
    raw = torch.cat([record for _, record, _ in pairs]).double()
    scaled = torch.cat([case.input(key) for key, _, _ in pairs]).double()
    known = ~(raw.isnan() | scaled.isnan()).any(-1)
    x, y = raw[known], scaled[known]
    centred = x - x.mean(0)
    scale = (centred * (y - y.mean(0))).sum(0) / centred.square().sum(0)
    shift = y.mean(0) - scale * x.mean(0)
    for key, _, padded in pairs:
        case.compare(key, padded.double() * scale + shift, atol=1e-3)
