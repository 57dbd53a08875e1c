"""The page of all methods: what each does, side by side and one by one, from configurations and sources."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import yaml

from motionrft.configuration import ROOT, available, part
from motionrft.finetune.method_options import read_method
from website import figures
from website.walks import walked

STEPS = 10  # of the figure's sampler; options that count steps are scaled to it
FIGURE = "methods-walks.svg"
# by what a method needs of the reward and what it learns
GROUPS = (
    ("The paper's methods", "A run with `methods: all` has these. All but `pretraining`, the control, back-propagate the reward."),
    ("Methods that a run must name", "They are there to answer a reader's next question: see [Fine-tune, steer, or sample more?](rivals.md)."),
)  # fmt: skip


def docstring(path: Path) -> str:
    """The whole docstring of a module, which is not run."""
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def first_line(path: Path) -> str:
    return docstring(path).split("\n")[0]


def heading(path: Path) -> str:
    """What a configuration file says in its first lines."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# "):
            break
        lines.append(line[2:])
    return " ".join(lines)


def page() -> str:
    found = {name: part("methods", name, "docs") for name in available("methods")}
    parts = [
        "# Methods side by side",
        "What each fine-tuning method does. This page is made of `config/methods/` and of the sources; "
        "the [equations](equations.md#fine-tuning) name paper, code and test of each, and "
        "[the paper explained](paper.md) says in words what they share.",
        f"![Steps that carry gradient, by method]({FIGURE})",
        "*One trajectory of ten steps, drawn from each method's own code (random choices: one draw; ten of fifty steps are two of ten). The graph of every filled dot "
        "is kept until the diamond behind it: that is the memory. EasyTune keeps one, however many steps it trains. "
        "The gradient of DRTune passes between its steps along the sampler's own line and not through the network.*",
    ]
    for (title, about), by_name in zip(GROUPS, (False, True), strict=True):
        chosen = {
            name: entry for name, entry in found.items() if bool(entry.get("by_name")) is by_name
        }
        parts += [f"## {title}", about, _table(chosen)]
    parts.append("## One by one")
    families = dict.fromkeys(entry["family"] for entry in found.values())
    for family in families:
        parts += _family(
            family, {name: entry for name, entry in found.items() if entry["family"] == family}
        )
    return "\n\n".join(parts) + "\n"


def _table(found: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| method | what it does | reward | most steps kept at once | updates a trajectory |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, entry in found.items():
        method = read_method(entry, 50, "one_step")
        needs = "none" if method.reads_motions and not method.needs_reference else "gradient"
        if not method.differentiates:
            needs = "value"
        trains = entry.get("training", True)
        live = str(method.most_live()) if trains and method.differentiates else "-"
        updates = str(method.updates_per_trajectory()) if trains else "-"
        what = heading(ROOT / "config" / "methods" / f"{name}.yaml").partition(". ")[0].rstrip(".")
        lines.append(f"| [`{name}`](#{entry['family']}) | {what} | {needs} | {live} | {updates} |")
    return "\n".join(lines) + "\n\nSteps and updates are those of a sampler of fifty steps."


def _family(family: str, found: dict[str, dict[str, Any]]) -> list[str]:
    source = f"motionrft/finetune/methods/{family}.py"
    said = docstring(ROOT / source)
    title = re.split(r" \(|: ", said, maxsplit=1)[0]
    parts = [f"### {title} {{ #{family} }}", said, f"Code: `{source}`. Configurations:"]
    for name, entry in found.items():
        options = yaml.safe_dump(
            entry.get("options", {}), default_flow_style=True, width=1000, sort_keys=False
        ).strip()
        line = (
            f"- `config/methods/{name}.yaml`: `{options}`"
            if entry.get("options")
            else f"- `config/methods/{name}.yaml`"
        )
        parts.append(
            f"{line}  \n  Source: {' '.join(entry['source'].split())}".replace("<", "&lt;")
        )
        parts += [f"    - Left open by the sources: {what}" for what in entry.get("open", ())]
    return [*parts[:3], "\n".join(parts[3:])]


def figure() -> bytes:
    """The walk of every method of the paper."""
    found = {}
    for name in available("methods"):
        entry = part("methods", name, "docs")
        if (
            entry.get("by_name")
            or not entry.get("training", True)
            or entry["family"] == "pretraining"
        ):
            continue
        method = read_method(entry, STEPS, "one_step")
        parts = walked(method)
        if parts not in found.values():
            found[name] = parts
    order = sorted(found, key=lambda name: (not name.startswith(("easytune", "motionrft")), name))
    return figures.walks({name: found[name] for name in order}, STEPS)
