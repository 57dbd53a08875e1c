"""Formulas as MathML, which browsers draw themselves: no script, nothing from the network."""

from __future__ import annotations

import html
import re
import unicodedata

from latex2mathml.converter import convert

# what the converter does not know, said in what it knows
REWRITTEN = {r"\arg": r"\operatorname{arg}", r"\mathrel{+}": "+"}
# browsers take letters of an alphabet as characters, not as a variant of others
ALPHABETS = {"script": "SCRIPT", "double-struck": "DOUBLE-STRUCK", "bold": "BOLD"}


class FormulaError(ValueError):
    """A formula that is not understood in full."""


def mathml(latex: str, display: str) -> str:
    """display: inline or block. Raises `FormulaError` where a command is left over."""
    source = latex
    for command, other in REWRITTEN.items():
        pattern = re.escape(command) + ("(?![A-Za-z])" if command[-1].isalpha() else "")
        source = re.sub(pattern, lambda _, other=other: other, source)
    made = convert(source, display=display)
    if "\\" in made:
        raise FormulaError(f"not understood: {latex}")
    return re.sub(r'<mi mathvariant="([a-z-]+)">(\w)</mi>', _letter, made)


def _letter(found: re.Match[str]) -> str:
    variant, letter = found.groups()
    if variant not in ALPHABETS:
        return found[0]
    case = "CAPITAL" if letter.isupper() else "SMALL"
    name = f"{ALPHABETS[variant]} {case} {letter.upper()}"
    for known in (f"MATHEMATICAL {name}", name):
        try:
            return f"<mi>{unicodedata.lookup(known)}</mi>"
        except KeyError:
            continue
    raise FormulaError(f"no letter {name}")


def rendered(content: str) -> str:
    """HTML in which what arithmatex has marked is MathML."""

    def inline(found: re.Match[str]) -> str:
        return mathml(html.unescape(found[1]), "inline")

    def block(found: re.Match[str]) -> str:
        return f'<div class="formula">{mathml(html.unescape(found[1]), "block")}</div>'

    content = re.sub(r'<span class="arithmatex">\\\((.*?)\\\)</span>', inline, content, flags=re.S)
    return re.sub(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', block, content, flags=re.S)
