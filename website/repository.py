"""Files of the repository as pages of the site: README, CONTRIBUTING, the notebook, and links between them."""

from __future__ import annotations

import json
import posixpath
import re

from motionrft.configuration import ROOT
from website import sources

# files of the repository that are pages of the site
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "docs/first_steps.ipynb": "first_steps.md",
}


def notebook(text: str) -> str:
    """The cells of a notebook as Markdown."""
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(text)["cells"]]
    return (
        "\n\n".join(f"```python\n{body}\n```" if kind == "code" else body for kind, body in cells)
        + "\n"
    )


def page(path: str) -> str:
    """The Markdown of a file of `PAGES`."""
    text = (ROOT / path).read_text(encoding="utf-8")
    front = "---\nhide: [navigation]\n---\n" if path == "README.md" else ""
    return front + relinked(notebook(text) if path.endswith(".ipynb") else text, path)


def relinked(markdown: str, path: str) -> str:
    """Links of a file of the repository as links of the page that it is on the site."""
    folder, place = posixpath.dirname(path), PAGES.get(path, path.removeprefix("docs/"))

    def link(found: re.Match[str]) -> str:
        target, _, anchor = found[1].partition("#")
        if not target or ":" in target:
            return found[0]
        goal = posixpath.normpath(posixpath.join(folder, target))
        if not (ROOT / goal).exists():
            return found[0]  # MkDocs reports it
        if (ROOT / goal / "README.md").is_file():
            goal += "/README.md"
        there = PAGES.get(goal) or (
            goal[5:] if goal.startswith("docs/") else f"{sources.FOLDER}/{goal}.md"
        )
        way = posixpath.relpath(there, posixpath.dirname(place) or ".")
        return f"]({way}{'#' if anchor else ''}{anchor})"

    return re.sub(r"\]\(([^)\s]+)\)", link, markdown)
