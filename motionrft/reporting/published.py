"""The paper's own numbers, each with its source, and when ours may be compared with them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("published.json")
# the suite's names beside the rows of the published tables
BACKBONES = {
    "mld": "MLD",
    "mldpp": "MLD++",
    "motionlcm-1step": "MotionLCM-1step",
    "motionlcm-4step": "MotionLCM-4step",
    "mdm": "MDM-50step",
    "motiondiffuse": "MotionDiffuse",
    "acmdm": "ACMDM",
    "hymotion": "HY-Motion",
    "hymotion-lite": "HY-Motion-lite",
}
METHODS = {
    "base": "MLD (base)",
    "refl-10": "ReFL-10",
    "refl-20": "ReFL-20",
    "draft-10": "DRaFT-10",
    "draft-50": "DRaFT-50",
    "alignprop": "AlignProp",
    "drtune": "DRTune",
    "easytune": "EasyTune (step opt.)",
    "easytune-chain": "EasyTune (chain opt.)",
}


@cache
def published() -> dict[str, Any]:
    """Tables by name: title, source, columns, rows."""
    return json.loads(FILE.read_text(encoding="utf-8"))["tables"]


def row(table: str, **labels: str) -> dict[str, Any]:
    """The published row with these labels; empty where the paper has none."""
    rows = published()[table]["rows"]
    return next((entry for entry in rows if all(entry.get(k) == v for k, v in labels.items())), {})


def comparable(run: dict[str, Any], evaluator: str | None) -> tuple[bool, str]:
    """Whether a run's numbers may be set against the paper's, and why not in a sentence a reader understands."""
    kind = run["corpus"]["kind"]
    if kind not in ("humanml3d", "kit"):
        return False, (
            f"The corpus is `{kind}`, not HumanML3D or KIT-ML: the paper's numbers stand here for orientation only "
            "and are not comparable."
        )
    if evaluator != "official":
        return False, (
            "The evaluator was trained by this suite, not the published one: FID, MM-Dist and R-Precision have "
            "another scale, so the paper's numbers are not comparable."
        )
    if run["size"] != "paper":
        return False, "The networks are the small ones: the paper's numbers are not comparable."
    return True, "Corpus, evaluator and network sizes equal the paper's."
