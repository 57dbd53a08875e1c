"""The run's figures as the page shows them: each once, or one a backbone of which the reader sees one at a time."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from motionrft.reporting import figures


def source(path: Path, smaller: Callable[[bytes], bytes] | None = None) -> str:
    """The picture as the `src` of an image; smaller: what a PNG goes through before."""
    kind, data = path.suffix.removeprefix("."), path.read_bytes()
    if smaller is not None and kind == "png":
        data = smaller(data)
    return f"data:image/{kind};base64," + base64.b64encode(data).decode()


def pictures(
    folder: Path, smaller: Callable[[bytes], bytes] | None = None
) -> Iterator[dict[str, Any]]:
    """name, title, question, opening and parts of every figure that the run left in `folder`, in the order of the figures;
    parts: [{backbone, source}], the backbone empty where the picture shows all. smaller: as `source` takes it."""
    files = {path.stem: path for suffix in ("png", "gif") for path in folder.glob(f"*.{suffix}")}
    for name in figures.in_order():
        file = figures.load(name)
        parts = [
            {
                "backbone": stem.removeprefix(name).removeprefix("_"),
                "source": source(files[stem], smaller),
            }
            for stem in sorted(files)
            if stem == name or (stem.startswith(f"{name}_") and stem not in figures.names())
        ]
        if parts:
            yield {
                "name": name,
                "title": file.title,
                "question": file.question,
                "opening": file.opening,
                "parts": parts,
            }
