"""ACMDM's 67 channels from joints as they come: clip alone, and padded as its evaluation pads.

The files hold evaluator inputs without the statistics that made them. Since those are one scale and shift a
channel, they are fitted on the recorded pairs, and then every clip's input is checked under that one pair.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from motionrft.motion import acmdm67
from reference.case import Case

FAMILY = "acmdm67"
PADDED, INPUT = "feat67_padded", "eval_input_padded"


def recognises(case: Case) -> bool:
    return any(key.endswith(".feat67") for key in case.tensors)


def check(case: Case, cases: dict[str, Case]) -> None:
    atol = float(case.number("atol")) if "atol" in case.meta else 2e-5
    names = sorted(key.removesuffix(".feat67") for key in case.tensors if key.endswith(".feat67"))
    joints = [case.input(f"{name}.joints") for name in names]
    lengths = torch.tensor([len(clip) for clip in joints])
    alone, frames = acmdm67.features(pad_sequence(joints, batch_first=True), lengths)
    padded: dict[str, Tensor] = {}
    for row, name in enumerate(names):
        case.compare(f"{name}.feat67", alone[row, : frames[row]], atol=atol)
        for key in (key for key in case.tensors if key.startswith(f"{name}.{PADDED}")):
            size = len(case.input(key)) + 1
            clip = joints[row].new_zeros(1, size, *joints[row].shape[1:])
            clip[0, : lengths[row]] = joints[row]
            padded[key] = acmdm67.features_padded(clip, lengths[row : row + 1])[0]
            case.compare(key, padded[key], atol=atol)
    scale = _inputs(case, padded, atol)
    for row, name in enumerate(names):
        for key in (key for key in padded if key.startswith(f"{name}.")):
            recorded = case.input(key)
            _listed(case, name, alone[row, : frames[row]], padded[key], recorded, scale, atol)
        _official(case, name, alone[row, : frames[row]], cases, atol)
    case.require_numbers()


def _listed(
    case: Case,
    name: str,
    alone: Tensor,
    padded: Tensor,
    recorded: Tensor,
    scale: Tensor | None,
    atol: float,
) -> None:
    """The numbers that the JSON lists for a clip. How far padding moves its features is measured from the recorded
    ones, so that it is known as well as the features are."""
    listed = case.meta.get("info", {}).get(name, {})
    valid = len(alone)
    leak = recorded[:valid] - alone
    found: dict[str, tuple[Tensor | float, float]] = {
        "len": (valid + 1, 0.0),
        "nan": (padded.isnan().any(), 0.0),
        "pad_vs_nopad_max_over_valid": (leak.abs().max(), atol),
        # the first row after the clip still holds the step from its last frame into the padding
        "pad_frame_absmax": (padded[valid + 1 :].abs().max(), atol),
    }
    if scale is not None:
        moved = (leak * scale).abs().max()
        found["pad_vs_nopad_evalnorm_max"] = (moved, atol * float(scale.abs().max()))
    for key, (value, tolerance) in found.items():
        if key in listed:
            case.compare(
                f"info.{name}.{key}", float(value), expected=float(listed[key]), atol=tolerance
            )


def _official(case: Case, name: str, alone: Tensor, cases: dict[str, Case], atol: float) -> None:
    """How far the clip's official 263 features are from these: of the clip in another file of the set whose
    recovered joints are this one's. A set without that clip holds nothing to measure from."""
    path = f"info.{name}.vs_official263_max"
    if "vs_official263_max" not in case.meta.get("info", {}).get(name, {}):
        return
    case.touch([path])
    joints = case.input(f"{name}.joints")
    for other in cases.values():
        for key in (key for key in other.tensors if key.endswith(".recovered_ric")):
            features = other.tensors.get(key.replace(".recovered_ric", ".features"))
            if features is not None and torch.equal(other.tensors[key][: len(joints)], joints):
                apart = (alone - features[: len(alone), : acmdm67.CHANNELS]).abs().max()
                case.compare(path, apart, atol=atol)


def _inputs(case: Case, padded: dict[str, Tensor], atol: float) -> Tensor | None:
    """Checks the evaluator's inputs; the scale of each channel that was fitted on them."""
    pairs = [(key, key.replace(PADDED, INPUT)) for key in padded]
    pairs = [(key, own) for key, own in pairs if own in case.tensors]
    if not pairs:
        return None
    raw = torch.cat([case.input(key) for key, _ in pairs]).double()
    scaled = torch.cat([case.input(own) for _, own in pairs]).double()
    known = ~(raw.isnan() | scaled.isnan()).any(-1)
    x, y = raw[known], scaled[known]
    centred = x - x.mean(0)
    scale = (centred * (y - y.mean(0))).sum(0) / centred.square().sum(0)
    shift = y.mean(0) - scale * x.mean(0)
    within = atol * float(scale.abs().max())
    for key, own in pairs:
        case.compare(own, padded[key].double() * scale + shift, atol=within)
    return scale
