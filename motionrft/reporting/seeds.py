"""How many training seeds a run's methods have, where its matrix gives some more than others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from motionrft.configuration import trains


def seeds_of(run: Mapping[str, Any], backbone: str) -> dict[int, list[str]]:
    """Methods that learn weights on the backbone, by their number of seeds, most first."""
    found: dict[int, list[str]] = {}
    for cell in run["matrix"]:
        if cell["backbone"] == backbone and trains(run["methods"][cell["method"]]):
            found.setdefault(len(cell["seeds"]), []).append(cell["method"])
    return dict(sorted(found.items(), reverse=True))


def seeds_told(run: Mapping[str, Any]) -> str:
    """`one seed`, `5 seeds`, `5 to 13 seeds`."""
    counts = {count for name in run["backbones"] for count in seeds_of(run, name)}
    least, most = (min(counts), max(counts)) if counts else 2 * (len(run["seeds"]),)
    if most == 1:
        return "one seed"
    return f"{most} seeds" if least == most else f"{least} to {most} seeds"


def unequal_seeds(run: Mapping[str, Any]) -> list[str]:
    """A note for each backbone some of whose methods have more seeds than others."""
    notes = []
    for backbone in run["backbones"]:
        found = seeds_of(run, backbone)
        if len(found) > 1:
            told = "; ".join(f"{count} of {', '.join(names)}" for count, names in found.items())
            notes.append(
                f"{backbone}: seeds are {told}. A mean is over all that its row has, a gain over the seeds of its "
                "row, of the base models too."
            )
    return notes
