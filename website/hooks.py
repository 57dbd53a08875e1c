"""What MkDocs calls: pages that are made of the repository, links to its files, formulas."""

from __future__ import annotations

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

from website import (  # noqa: E402
    backbones,
    configuration,
    formulas,
    methods,
    reports,
    repository,
    sources,
)

# copied as they are; the font has every letter that formulas need, on any machine
STATIC = {
    "site.css": ROOT / "website" / "site.css",
    "worker.js": ROOT / "website" / "worker.js",
    "stix.ttf": Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "STIXGeneral.ttf",
}

# what the theme loads so that search works from a folder
SHIM = "https://unpkg.com/iframe-worker/shim"


def made() -> dict[str, Callable[[], str | bytes]]:
    """What is written for the site alone, by its place there."""
    found: dict[str, Callable[[], str | bytes]] = {
        "methods.md": methods.page,
        methods.FIGURE: methods.figure,
        "backbones.md": backbones.page,
        backbones.FIGURE: backbones.figure,
        reports.PLACE: reports.page,
    }
    for name in configuration.PAGES:
        found[f"configuration/{name}.md"] = lambda name=name: configuration.page(name)
    for path, place in repository.PAGES.items():
        found[place] = lambda path=path: repository.page(path)
    return found


def on_files(files: Files, *, config: Any) -> Files:
    for place, make in made().items():
        files.append(File.generated(config, place, content=make()))
    for place, path in STATIC.items():
        files.append(File.generated(config, place, abs_src_path=str(path)))
    named: set[str] = set()
    for page in files.documentation_pages():
        text = on_page_markdown(page.content_string, page=page)
        named |= sources.named(text)
        named |= set(re.findall(rf"\]\([./]*{sources.FOLDER}/([^)#]+)\.md\)", text))
    inside = {file for path in named for file in sources.inside(path)}
    for path in sorted(named | inside):
        place = f"{sources.FOLDER}/{path}.md"
        inclusion = InclusionLevel.NOT_IN_NAV
        files.append(File.generated(config, place, content=sources.page(path), inclusion=inclusion))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Links of a page of docs/ that lead out of it. page: with its file, or the file itself."""
    path = f"docs/{getattr(page, 'file', page).src_uri}"
    return repository.relinked(markdown, path) if (ROOT / path).is_file() else markdown


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
