"""A page of its own for a few motions: one file that needs no server and no network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from motionrft.files import atomic
from motionrft.motion.skeleton import Skeleton
from motionrft.player.stick_figure import pack, player_data

ROOM = Path(__file__).parent
# what draws a moment, and all that plays
DRAWING = (ROOM / "stick_figure.js").read_text(encoding="utf-8")
SCRIPT = DRAWING + "".join(
    (ROOM / name).read_text(encoding="utf-8") for name in ("gif.js", "player.js")
)
STYLE = (ROOM / "player.css").read_text(encoding="utf-8")


def embedded(data: dict[str, Any]) -> str:
    """JSON that can stand inside a script element."""
    return json.dumps(data).replace("</", "<\\/")


def write_player(
    path: str | Path,
    prompts: Sequence[str],
    motions: Mapping[str, Sequence[Tensor]],
    skeleton: Skeleton,
    fps: float,
    *,
    note: str = "",
) -> None:
    """motions: by the name of their model, a motion [T, J, 3] a prompt; three models at most are shown at once."""
    models = [
        {"model": name, "motions": [pack(joints, skeleton) for joints in clips]}
        for name, clips in motions.items()
    ]
    entry = {
        "backbone": "",
        "prompts": list(prompts),
        "models": models,
        "show": list(range(min(len(models), 3))),
        "first": True,
    }
    write_page(
        path,
        "motions.html.j2",
        title=prompts[0] if len(set(prompts)) == 1 else f"{len(prompts)} motions",
        note=note,
        css=STYLE,
        js=SCRIPT,
        players=embedded(player_data(skeleton, fps, [entry])),
    )


def write_page(path: str | Path, template: str, **values: Any) -> None:
    """A template of this folder, filled in."""
    import jinja2  # the only one here that generating without a page does not need

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOM), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    html = environment.get_template(template).render(values)
    with atomic(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
