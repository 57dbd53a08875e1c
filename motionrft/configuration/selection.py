"""Which backbones, methods and cells a run has chosen, out of those that `config/` knows.

What a run file says of backbones and methods that a command line has left out (`--config backbones=[mdm]`) is
no mistake: it waits for the day they are chosen. A name that nothing knows is one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from motionrft.configuration.files import available, by_name, has_size
from motionrft.configuration.switches import switches
from motionrft.errors import unknown_name


def chosen(run: dict[str, Any], kind: str) -> list[str]:
    """The run's backbones or methods by name; `all` is every file in config/<kind> that has the run's size, and every
    variant, but for methods that want to be named (`by_name`)."""
    names = run[kind]
    if names != "all":
        return list(dict.fromkeys(names))
    if kind == "methods":
        files = [name for name in available(kind) if not by_name(name)]
    else:
        files = [name for name in available(kind) if has_size(name, run["size"])]
    return [*files, *run["variants"][kind]]


def among(
    names: Iterable[str],
    selected: Collection[str],
    kind: str,
    where: str | Path,
    field: str,
    variants: Iterable[str] = (),
) -> list[str]:
    """Those of `names` that are `selected`. Raises on the first that neither config/<kind> nor `variants` has."""
    names, known = list(names), dict.fromkeys([*selected, *available(kind), *variants])
    for name in names:
        if name not in known:
            what, file = kind.removesuffix("s"), f"config/{kind}/{name}.yaml"
            raise unknown_name(what, name, known, where=where, field=field, add=file)
    return [name for name in names if name in selected]


def matrix_cells(
    run: dict[str, Any], backbones: list[str], methods: list[str], where: str | Path
) -> list[dict[str, Any]]:
    """Every fine-tuning to run, once: [{backbone, method, seeds}].

    Rows lose what is not selected; if that leaves no cell at all, the selected are crossed.
    """
    rows, narrowed = [], False
    for number, row in enumerate([{}] if run["matrix"] == "cross" else run["matrix"]):
        picked = {}
        for kind, selected in (("backbones", backbones), ("methods", methods)):
            names = row.get(kind, "all")
            names = selected if names == "all" else names
            variants = run["variants"][kind]
            picked[kind] = among(names, selected, kind, where, f"matrix.{number}.{kind}", variants)
            narrowed |= len(picked[kind]) < len(names)
        rows.append((picked["backbones"], picked["methods"], row.get("seeds", run["seeds"])))
    if narrowed and not any(first and second for first, second, _ in rows):
        rows = [(backbones, methods, run["seeds"])]
    cells: dict[tuple[str, str], list[int]] = {}
    for some_backbones, some_methods, seeds in rows:
        for backbone in some_backbones:
            for method in some_methods:
                own = cells.setdefault((backbone, method), [])
                own += [seed for seed in seeds if seed not in own]
    return [
        {"backbone": backbone, "method": method, "seeds": seeds}
        for (backbone, method), seeds in cells.items()
    ]


def narrow_generators(run: dict[str, Any], where: str | Path) -> None:
    """Narrows, in place, the generators whose samples a stage of the reward judges to the run's backbones.

    If none of those named is left, all of the run's generate; one that is left alone is not held out.
    """
    backbones = run["backbones"]
    for stage, section in run["reward"]["stages"].items():
        data, place = section.get("data", {}), f"reward.stages.{stage}.data"
        generators = data.get("generators", "all")
        if generators != "all":
            generators = among(generators, backbones, "backbones", where, f"{place}.generators")
            data["generators"] = generators = generators or "all"
        held_out = data.get("held_out", [])
        if held_out:
            held_out = among(held_out, backbones, "backbones", where, f"{place}.held_out")
            names = backbones if generators == "all" else generators
            data["held_out"] = [] if set(names) <= set(held_out) else held_out


def declared_comparisons(run: dict[str, Any], where: str | Path) -> None:
    """Narrows, in place, the comparisons that count to what the run has chosen."""
    section = run["compare"]
    for kind in ("backbones", "methods"):
        if isinstance(section[kind], list):
            variants = run["variants"][kind]
            names = among(section[kind], run[kind], kind, where, f"compare.{kind}", variants)
            section[kind] = list(dict.fromkeys(names))


def check_switches(run: dict[str, Any], where: str | Path) -> None:
    """The switches whose effect is measured exist."""
    asked = run["analyse"]["switches"]
    for name in [] if asked == "all" else asked:
        if name not in switches():
            raise unknown_name("switch", name, switches(), where=where, field="analyse.switches")


def check_resources(run: dict[str, Any], where: str | Path) -> None:
    """Names in the `resources` table are text encoders, backbones and methods that exist."""
    for rule, row in run["resources"].items():
        for name in row.get("encoders", {}):
            if name not in run["text"]:
                field = f"resources.{rule}.encoders"
                raise unknown_name("text encoder", name, run["text"], where=where, field=field)
        for kind in ("backbones", "methods"):
            among(row.get(kind, {}), run[kind], kind, where, f"resources.{rule}.{kind}")
        for cell in row.get("cells", {}):
            backbone, _, method = cell.partition("/")
            place = f"resources.{rule}.cells.{cell}"
            among([backbone], run["backbones"], "backbones", where, place)
            among([method], run["methods"], "methods", where, place)
