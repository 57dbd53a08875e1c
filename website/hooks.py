"""What MkDocs calls: pages that are made of the repository, links to its files, formulas."""

from __future__ import annotations

import json
import posixpath
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from website import backbones, configuration, formulas, methods, sources  # noqa: E402

# files of the repository that are pages of the site
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "docs/first_steps.ipynb": "first_steps.md",
}
# copied as they are; the font has every letter that formulas need, on any machine
STATIC = {
    "site.css": ROOT / "website" / "site.css",
    "worker.js": ROOT / "website" / "worker.js",
    "stix.ttf": Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "STIXGeneral.ttf",
}


# what the theme loads so that search works from a folder
SHIM = "https://unpkg.com/iframe-worker/shim"


def notebook(text: str) -> str:
    """The cells of a notebook as Markdown."""
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(text)["cells"]]
    return (
        "\n\n".join(f"```python\n{body}\n```" if kind == "code" else body for kind, body in cells)
        + "\n"
    )


def made() -> dict[str, Callable[[], str | bytes]]:
    """What is written for the site alone, by its place there."""
    found: dict[str, Callable[[], str | bytes]] = {
        "methods.md": methods.page,
        methods.FIGURE: methods.figure,
        "backbones.md": backbones.page,
        backbones.FIGURE: backbones.figure,
    }
    for name in configuration.PAGES:
        found[f"configuration/{name}.md"] = lambda name=name: configuration.page(name)
    for path, place in PAGES.items():
        found[place] = lambda path=path: _read(path)
    return found


def _read(path: str) -> str:
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
        goal = goal if not (ROOT / goal).is_dir() else f"{goal}/README.md"
        there = PAGES.get(goal) or (
            goal[5:] if goal.startswith("docs/") else f"{sources.FOLDER}/{goal}.md"
        )
        way = posixpath.relpath(there, posixpath.dirname(place) or ".")
        return f"]({way}{'#' if anchor else ''}{anchor})"

    return re.sub(r"\]\(([^)\s]+)\)", link, markdown)


def on_files(files: Files, *, config: Any) -> Files:
    for place, make in made().items():
        if place not in files.src_uris:
            files.append(File.generated(config, place, content=make()))
    for place, path in STATIC.items():
        files.append(File.generated(config, place, abs_src_path=str(path)))
    named: set[str] = set()
    for page in files.documentation_pages():
        text = page.content_string
        named |= sources.named(text)
        named |= {
            found.removesuffix(".md")
            for found in re.findall(rf"\]\([./]*{sources.FOLDER}/([^)#]+)\)", text)
        }
    for path in sorted(named):
        place = f"{sources.FOLDER}/{path}.md"
        inclusion = InclusionLevel.NOT_IN_NAV
        files.append(File.generated(config, place, content=sources.page(path), inclusion=inclusion))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Links of a page of docs/ that lead out of it."""
    path = f"docs/{page.file.src_uri}"
    return relinked(markdown, path) if (ROOT / path).is_file() else markdown


def on_page_content(content: str, *, page: Any, **_: Any) -> str:
    if page.file.src_uri.startswith(f"{sources.FOLDER}/"):
        return content
    top = "../" * page.url.count("/")
    return sources.linked(formulas.rendered(content), top)


def on_post_page(output: str, *, page: Any, **_: Any) -> str:
    """The page without anything that is loaded from the network."""
    output = output.replace(f'src="{SHIM}"', f'src="{"../" * page.url.count("/")}worker.js"')
    loaded = re.findall(
        r'<(?:script|link|img|iframe)\b[^>]*(?:src|href)="(https?://[^"]+)"', output
    )
    if loaded:
        raise PluginError(f"{page.file.src_uri} loads {loaded[0]}: the site must work offline")
    return output
