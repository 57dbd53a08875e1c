"""Docstrings as the reference shows them: aligned lists of names become lists."""

from __future__ import annotations

import re
from typing import Any

import griffe

ENTRY = re.compile(r"^([A-Za-z_]\w*(?:, \w+)*)(?::\s+|\s{2,})(\S.*)$")


class Lists(griffe.Extension):
    """`name   what it is`, a line each and continued by indentation, is how this project documents fields."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = listed(obj.docstring.value)


def listed(text: str) -> str:
    """The text with each paragraph of such lines as a Markdown list; other paragraphs as they are."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(_list(paragraph) or paragraph for paragraph in paragraphs)


def _list(paragraph: str) -> str:
    """The list, or nothing if the paragraph is not one."""
    items: list[str] = []
    for line in paragraph.strip("\n").splitlines():
        entry = ENTRY.match(line)
        if entry and "  " in line:
            items.append(f"- `{entry[1]}`: {entry[2]}")
        elif items and line.startswith("  "):
            items[-1] += f" {line.strip()}"
        else:
            return ""
    return "\n".join(items)
