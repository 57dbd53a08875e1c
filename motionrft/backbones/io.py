"""Backbones from configuration, from the suite's own files (one is enough to sample from), and official ones."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from motionrft.backbones import families, family, lora
from motionrft.backbones.base import Backbone
from motionrft.checkpoints import LoadReport, load_into
from motionrft.errors import InputError
from motionrft.files import read_tensors, write_tensors
from motionrft.motion.normaliser import Normaliser

STATISTICS = ("normaliser.mean", "normaliser.std")


def build_backbone(
    settings: dict[str, Any], *, dim: int, text: dict[str, int], normaliser: Normaliser
) -> Backbone:
    """A fresh network from a resolved `backbones.<name>` section. text: the cache's pooled and token widths."""
    kind, file = family(settings["family"]), f"config/backbones/{settings['name']}.yaml"
    try:
        backbone = kind.build(settings["network"], dim=dim, text=text, normaliser=normaliser)
    except InputError as error:
        raise error.at(file) from error
    if settings["representation"] != backbone.representation:
        raise InputError(
            f"{settings['representation']!r}, but the family works on {backbone.representation!r}",
            where=file,
            field="representation",
            fix="change one of the two",
        )
    return backbone


def save_backbone(path: str | Path, backbone: Backbone, about: dict[str, Any]) -> None:
    """All weights, the corpus statistics, and `about`: {"backbone": settings, "dim", "text", "provenance", …}."""
    missing = {"backbone", "dim", "text"} - set(about)
    if missing:
        raise ValueError(f"about lacks {sorted(missing)}")
    tensors = dict(backbone.state_dict())
    tensors["normaliser.mean"], tensors["normaliser.std"] = (
        backbone.normaliser.mean,
        backbone.normaliser.std,
    )
    write_tensors(path, tensors, about)


def load_backbone(
    path: str | Path, device: torch.device | str = "cpu", *, family: str = ""
) -> tuple[Backbone, dict[str, Any]]:
    """The backbone in eval mode, all its stages trained, and the file's `about`. A file of adapters that names its base
    is merged into it. family: refuse a file of another, whose networks a sampler of this one would run all the same."""
    tensors, about = read_tensors(path)
    own = about.get("backbone", {}).get("family")
    if family and own and own != family:
        raise InputError(
            f"a model of the family {own}, the configuration names {family}",
            where=path,
            fix="name the backbone that the file was trained as, or its own file",
        )
    if "base" in about:
        backbone = _adapted(Path(path), about.pop("base"))
        del about["lora"]  # merged, it is a backbone as any other
        return backbone.to(device).eval(), about
    if "backbone" not in about or any(name not in tensors for name in STATISTICS):
        raise InputError(
            "not a backbone file of this suite",
            where=path,
            fix="use `import` for official checkpoints",
        )
    normaliser = Normaliser(*(tensors.pop(name) for name in STATISTICS))
    backbone = build_backbone(
        about["backbone"], dim=about["dim"], text=about["text"], normaliser=normaliser
    )
    load_into(backbone, tensors, path)
    if about.get("stage") in backbone.stages[:-1]:
        raise InputError(
            f"pre-trained up to its stage {about['stage']}: it cannot generate yet",
            where=path,
            fix=f"name the file of its stage {backbone.stages[-1]}",
        )
    return backbone.to(device).eval(), about


def base_of(path: str | Path, base: str | Path) -> dict[str, str]:
    """What the adapters at `path` say of the backbone file they belong to: where it lies, and its content."""
    with open(base, "rb") as stream:
        content = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"file": os.path.relpath(base, Path(path).parent), "sha256": content}


def _adapted(path: Path, named: dict[str, str]) -> Backbone:
    """The backbone file that adapters belong to, with the adapters merged into it."""
    base = path.parent / named["file"]
    if not base.exists():
        raise InputError(f"its base {base} is absent", where=path, fix="put the base file there")
    if base_of(path, base)["sha256"] != named["sha256"]:
        raise InputError(
            f"its base {base} has changed", where=path, fix="fine-tune again, or restore the base"
        )
    backbone, _ = load_backbone(base)
    lora.load_adapters(path, backbone)
    lora.merge(backbone)
    return backbone


def load_official(backbone: Backbone, path: str | Path, text: str = "") -> LoadReport:
    """Fills a fresh backbone from its family's official file, strictly; says what was taken.

    text: the kind of encoder whose features it will be given. A layout with a `check_text` refuses the wrong one.
    """
    layout = _official_layout(backbone, path)
    report: LoadReport = layout.load(backbone, Path(path))
    if text and hasattr(layout, "check_text"):
        layout.check_text(report, text)
    return report


def export_official(backbone: Backbone, path: str | Path, like: str | Path | None = None) -> None:
    """Writes the family's official layout. like: an official file whose other contents are carried over."""
    layout = _official_layout(backbone, path)
    layout.export(backbone, Path(path), None if like is None else Path(like))


def _official_layout(backbone: Backbone, where: str | Path) -> ModuleType:
    """The `official` module of the backbone's family."""
    if backbone.unofficial:
        raise InputError(
            "the official code reads this network's output otherwise",
            where=where,
            field=f"network.{backbone.unofficial}",
            fix="leave the option out and train again: only such networks have official files",
        )
    name = type(backbone).__module__.removeprefix("motionrft.backbones.").partition(".")[0]
    package = f"motionrft.backbones.{name}"
    if name not in families() or importlib.util.find_spec(f"{package}.official") is None:
        raise InputError(
            "this family has no official layout", where=where, fix="use the suite's own files"
        )
    return importlib.import_module(f"{package}.official")
