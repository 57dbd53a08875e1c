"""Source files as pages, and links to them from every page that names one."""

from __future__ import annotations

import ast
import html
import re
from functools import cache

from motionrft.configuration import ROOT

FOLDER = "source"
ENDINGS = (".py", ".pyi", ".yaml", ".toml", ".cff", ".lock", ".smk", ".json")
LANGUAGES = {
    "py": "python",
    "pyi": "python",
    "yaml": "yaml",
    "cff": "yaml",
    "toml": "toml",
    "json": "json",
}
LARGE = 200_000  # bytes; what is larger is no reading


@cache
def target(name: str) -> tuple[str, int] | None:
    """The file and line that a name in code type means, or None.

    Names are a path (`motionrft/cli/plan.py`), a test (`tests/x.py::test_y`) or a module with or without what is in it
    (`motionrft.finetune.window:Window.steps`).
    """
    path, _, inside = name.partition("::")
    if path.endswith(ENDINGS) and "/" in path:
        return _found(path, inside.replace("::", "."))
    module, _, inside = name.partition(":")
    if re.fullmatch(r"(motionrft|reference)(\.\w+)+", module):
        folder = module.replace(".", "/")
        return _found(f"{folder}.py", inside) or _found(f"{folder}/__init__.py", inside)
    return None


def _found(path: str, inside: str) -> tuple[str, int] | None:
    file = ROOT / path
    if not file.is_file() or file.stat().st_size > LARGE:
        return None
    return path, line_of(file.read_text(encoding="utf-8"), inside) if inside else 1


def line_of(source: str, name: str) -> int:
    """The line in which `Class.method` or `function` begins; 1 if the source does not define it itself."""
    scope, line = ast.parse(source).body, 1
    for part in name.split("."):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        node = next((node for node in scope if isinstance(node, kinds) and node.name == part), None)
        if node is None:
            return line
        scope, line = node.body, node.lineno
    return line


def named(markdown: str) -> set[str]:
    """The files that a page names in code type."""
    spans = re.findall(r"`([^`\n]+)`", markdown)
    return {found[0] for span in spans if (found := target(span)) is not None}


def inside(path: str) -> list[str]:
    """The files of a folder; none of a file."""
    return [
        f"{path}/{entry.name}" for entry in sorted((ROOT / path).glob("*.*")) if entry.is_file()
    ]


def page(path: str) -> str:
    """A file as a page, its lines numbered and with anchors; a folder as the list of its files."""
    if (ROOT / path).is_dir():
        folder = path.rpartition("/")[2]
        entries = [entry.rpartition("/")[2] for entry in inside(path)]
        return f"# {path}\n\n" + "".join(f"- [{name}]({folder}/{name}.md)\n" for name in entries)
    text = (ROOT / path).read_text(encoding="utf-8")
    fence = "`" * 6
    language = LANGUAGES.get(path.rpartition(".")[2], "text")
    front = "---\nsearch:\n  exclude: true\nhide: [toc]\n---\n"
    return f'{front}# {path}\n\n{fence}{{.{language} linenums="1"}}\n{text.rstrip()}\n{fence}\n'


def linked(content: str, top: str) -> str:
    """HTML in which every code span that names a file is a link. top: the way to the site's top, `../`."""

    def link(span: re.Match[str]) -> str:
        found = target(html.unescape(span[1]))
        if found is None:
            return span[0]
        path, line = found
        shown = re.sub(r"([/:._])(?=\w)", r"\1<wbr>", span[1])
        href = f"{top}{FOLDER}/{path}.html#__codelineno-0-{line}"
        return f'<a class="source" href="{href}"><code>{shown}</code></a>'

    # what is a link already, or a heading, stays
    parts = re.split(
        r"(<a [^>]*>.*?</a>|<h[1-6][^>]*>.*?</h[1-6]>|<pre.*?</pre>)", content, flags=re.S
    )
    parts[::2] = [re.sub(r"<code>([^<]+)</code>", link, part) for part in parts[::2]]
    return "".join(parts)
