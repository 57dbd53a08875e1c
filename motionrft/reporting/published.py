"""The paper's own numbers, each with its source, and when ours may be compared with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("published.json")
# one published row: numbers by column
Published = Mapping[str, Any]
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
OWN_METHODS = ("motionrft", "easytune")  # what this line of work proposes, the newest first
NAMES = {"humanml3d": "HumanML3D", "kit": "KIT-ML"}


@cache
def published() -> dict[str, Any]:
    """Tables by name: title, source, columns, rows."""
    tables: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))["tables"]
    return tables


def row(table: str, **labels: str) -> dict[str, Any]:
    """The published row with these labels; empty where the paper has none."""
    rows = published()[table]["rows"]
    return next((entry for entry in rows if all(entry.get(k) == v for k, v in labels.items())), {})


def paper_order(methods: Mapping[str, Any]) -> dict[str, Any]:
    """Methods as the paper's table lists them, variants of a sweep in their method's place, those that it does not know
    last, as given."""
    places = {name: place for place, name in enumerate(METHODS)}

    def place(name: str) -> int:
        return places.get(methods[name].get("sweep_of", name), len(places))

    return {name: methods[name] for name in sorted(methods, key=place)}


def intervals(of: Published) -> dict[str, Any]:
    """`of` with the intervals of EasyTune's table laid beside the values that both tables print alike."""
    known = row("easytune_sota_h3d_ci", method=of.get("method", "")) or next(
        (
            entry
            for entry in published()["easytune_sota_h3d_ci"]["rows"]
            if (entry["R1"], entry["FID"]) == (of.get("R1", 0), of.get("FID", 0))
        ),
        {},
    )
    beside = {
        f"{key}_ci": known[f"{key}_ci"]
        for key in ("R1", "R2", "R3", "FID", "MMDist", "Diversity")
        if known.get(f"{key}_ci") and known[key] == of.get(key)
    }
    return {**of, **beside}


def evaluator_representation(run: Mapping[str, Any]) -> str:
    """The representation whose rows of the paper were scored with the evaluator that the run names."""
    section = run.get("evaluator", {})
    if section.get("network") == "spm":
        return "rotation"
    return "joint" if section.get("channels") == "first 67" else "kinematic"


def comparable(
    run: Mapping[str, Any],
    evaluator: str | None,
    corpus: str = "humanml3d",
    representation: str = "kinematic",
    precision: str = "fp32",
) -> tuple[bool, str]:
    """Whether a run's scores of generated motions may be set against a table of the paper on `corpus`, whose
    evaluator is that of `representation`, and why not in a sentence a reader understands. precision: of the run's."""
    kind = run["corpus"]["kind"]
    if kind != corpus:
        return False, (
            f"The corpus is “{kind}”, not {NAMES[corpus]}: the paper's numbers stand here for orientation only "
            "and are not comparable."
        )
    if evaluator != "official":
        return False, (
            "The evaluator was trained by this suite, not the published one: FID, MM-Dist and R-Precision have "
            "another scale, so the paper's numbers are not comparable."
        )
    if evaluator_representation(run) != representation:
        return False, (
            f"The evaluator is the published one of {evaluator_representation(run)} motions, this table's is that of "
            f"{representation} motions: the paper's numbers are not comparable."
        )
    if precision != "fp32":
        return False, (
            f"The evaluator ran in {precision}, the published numbers are in float32: they are not comparable."
        )
    if run["size"] != "paper":
        return False, "The networks are the small ones: the paper's numbers are not comparable."
    return True, "Corpus, evaluator and network sizes equal the paper's."


def reward_comparable(run: Mapping[str, Any], labels: str | None = "human") -> tuple[bool, str]:
    """The same for scores of the reward itself, which need no evaluator but, for judged motions, the same labels."""
    kind = run["corpus"]["kind"]
    if kind != "humanml3d" or run["size"] != "paper":
        return False, (
            f"The reward is the {run['size']} one, trained on “{kind}”; the paper's is full-size, on HumanML3D: its "
            "numbers stand here for orientation only and are not comparable."
        )
    if labels is None or "made" in labels:
        return False, (
            "The judged motions were made by this suite, not taken from the paper's data: its numbers are not "
            "comparable."
        )
    return True, "Corpus, network size and judged motions equal the paper's."
