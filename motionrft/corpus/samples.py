"""Generated motions on disk: packed like a corpus, with the prompt of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motionrft.errors import InputError
from motionrft.files import read_tensors, write_tensors


@dataclass(frozen=True)
class Samples:
    """N motions.

    features  N tensors [T_i, dim], raw features in `representation`
    joints    N tensors [T_i, 22, 3], metres
    captions, clips  N strings; clips name the reference motion of each prompt
    generator name of the backbone (and method) they come from
    """

    representation: str
    features: list[Tensor]
    joints: list[Tensor]
    captions: list[str]
    clips: list[str]
    generator: str
    about: dict[str, Any]

    def __len__(self) -> int:
        return len(self.captions)


def write_samples(path: str | Path, samples: Samples) -> None:
    lengths = torch.tensor([len(motion) for motion in samples.features])
    write_tensors(
        path,
        {
            "features": torch.cat(samples.features),
            "joints": torch.cat(samples.joints).float(),
            "lengths": lengths,
        },
        {
            **samples.about,
            "representation": samples.representation,
            "captions": samples.captions,
            "clips": samples.clips,
            "generator": samples.generator,
        },
    )


def read_samples(path: str | Path) -> Samples:
    tensors, about = read_tensors(path)
    missing: Sequence[str] = sorted({"features", "joints", "lengths"} - set(tensors))
    if missing or "captions" not in about:
        raise InputError(
            f"no {missing[0] if missing else 'captions'}",
            where=path,
            fix="run the evaluate rule again",
        )
    lengths = tensors["lengths"].tolist()
    return Samples(
        about["representation"],
        list(tensors["features"].split(lengths)),
        list(tensors["joints"].split(lengths)),
        about["captions"],
        about["clips"],
        about["generator"],
        about,
    )
