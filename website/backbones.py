"""The page of all backbones: what each is, side by side and one by one, from configurations and sources."""

from __future__ import annotations

import re
from typing import Any

from motionrft.backbones.shapes import backbone_shapes
from motionrft.configuration import ROOT, available, part, resolve
from website import figures
from website.methods import docstring, heading

FIGURE = "backbones-memory.svg"
DRAWN = ("easytune", "refl-10", "draft-10", "draft-50")
SIZES = ("small", "paper")
SAMPLERS = {
    "ddim": "DDIM, no noise",
    "ddpm": "DDPM, draws noise",
    "lcm": "consistency",
    "flow": "flow",
}


def counted(size: str) -> dict[str, int]:
    """Parameters of every backbone at a size; nothing is allocated."""
    run = resolve(
        {"name": "docs", "size": size, "corpus": {"kind": "toy"}, "backbones": "all", "methods": []}
    )
    return {
        name: sum(entry.numel() for entry in backbone_shapes(run, name).parameters())
        for name in run["backbones"]
    }


def short(count: int) -> str:
    """1,046,000,000 is 1.05 G, 17,880,000 is 17.9 M."""
    for unit, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if count >= unit:
            return f"{count / unit:.3g} {letter}"
    return str(count)


def page() -> str:
    parameters = {size: counted(size) for size in SIZES}
    names = available("backbones")
    found = {name: part("backbones", name, "docs") for name in names}
    parts = [
        "# Backbones side by side",
        "The generators that are fine-tuned. This page is made of `config/backbones/` and of the sources. The size `small` is the "
        "suite's own and trains in minutes on a CPU; `paper` is the published network.",
        _table(found, parameters),
        "Steps and guidance are those of `size: paper`. A sampler that draws noise is scored at its own noise level "
        "(`noise_aware`), one that draws none by its clean estimate (`one_step`): see [the paper explained](paper.md).",
        f"![Memory of one update, by backbone and method]({FIGURE})",
        "*Memory of one update at full size with the graph kept, a batch of 256 (HY-Motion 4), from [Memory on a card](memory.md). The axis is "
        "logarithmic. EasyTune needs the same whatever the number of steps; DRaFT-50 keeps all fifty.*",
        "## One by one",
    ]
    for family in dict.fromkeys(entry["family"] for entry in found.values()):
        parts += _family(
            family, {name: entry for name, entry in found.items() if entry["family"] == family}
        )
    return "\n\n".join(parts) + "\n"


def _table(found: dict[str, dict[str, Any]], parameters: dict[str, dict[str, int]]) -> str:
    lines = [
        "| backbone | generates | sampler | steps | guidance | scored | parameters, small | paper |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, entry in found.items():
        settings = entry["sizes"]["paper"]
        sampler = settings["sampler"]
        counts = " | ".join(short(parameters[size][name]) for size in SIZES)
        kind = SAMPLERS[sampler["kind"]] + (f", {sampler['solver']}" if "solver" in sampler else "")
        lines.append(
            f"| [`{name}`](#{entry['family']}) | {entry['representation']} | {kind} | {sampler['steps']} "
            f"| {sampler['guidance']:g} | `{settings['reward_form']}` | {counts} |"
        )
    return "\n".join(lines)


def _family(family: str, found: dict[str, dict[str, Any]]) -> list[str]:
    folder = f"motionrft/backbones/{family}"
    model = docstring(ROOT / folder / "model.py").replace("<", "&lt;")
    title = (
        docstring(ROOT / folder / "__init__.py")
        .partition(":")[0]
        .split("(")[0]
        .split(",")[0]
        .strip(" .")
    )
    rows = []
    for name, entry in found.items():
        source = " ".join(entry["source"].split()).replace("<", "&lt;")
        rows.append(
            f"- `config/backbones/{name}.yaml`: {heading(ROOT / 'config' / 'backbones' / f'{name}.yaml')}  \n  Source: {source}"
        )
        for corpus, official in entry["sizes"].get("paper", {}).get("official", {}).items():
            rows.append(
                f"    - Official weights ({corpus}): {official['file']}, {official['from']}; {official['licence']}; {official['mb']:g} MB"
            )
    return [
        f"### {title} {{ #{family} }}",
        model,
        f"Code: `{folder}/model.py`. Configurations:",
        "\n".join(rows),
    ]


def figure() -> bytes:
    """Of docs/memory.md: gigabytes of the plain form."""
    text = (ROOT / "docs" / "memory.md").read_text(encoding="utf-8")
    found: dict[str, dict[str, float]] = {}
    for backbone, method, plain in re.findall(r"^\| (\S+) / (\S+) \| (\d+) \|", text, re.M):
        if method in DRAWN:
            found.setdefault(backbone, {})[method] = float(plain)
    ordered = {
        name: {method: values[method] for method in DRAWN}
        for name, values in found.items()
        if len(values) == len(DRAWN)
    }
    return figures.memory(ordered)
