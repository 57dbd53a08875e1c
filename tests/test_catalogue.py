"""What is listed: every kind, each with a line, without torch."""

import subprocess
import sys
from typing import get_args

import pytest

from motionrft import catalogue
from motionrft.cli import main
from motionrft.cli.listing import Kind


@pytest.mark.parametrize("kind", catalogue.KINDS)
def test_every_entry_has_a_line(kind):
    found = catalogue.entries(kind)
    assert found
    assert all(5 < len(entry.line) < 160 for entry in found)
    assert [entry.name for entry in found] == sorted(entry.name for entry in found)


def test_the_command_lists_a_kind_or_all(capsys):
    assert get_args(Kind) == catalogue.KINDS
    assert main(["list", "backbones"]) == 0
    [mdm] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  mdm ")]
    assert "Tevet" in mdm
    assert mdm.endswith("[small, paper]")
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n{kind}\n" in f"\n{printed}" for kind in catalogue.KINDS)
    assert main(["list", "zzz"]) == 2


@pytest.mark.parametrize(
    ("kind", "name", "end"),
    [
        ("methods", "ddpo", "and one update a trajectory (its released code's defaults)"),
        ("methods", "best-of-4", "Stiennon et al. (arXiv 2009.01325), section 4.3"),
        ("methods", "easytune", "EasyTune (arXiv 2602.07967)"),
        ("corpora", "toy", "what is in the clip (side, speed, direction, count)"),
    ],
)
def test_a_line_is_a_whole_clause(kind, name, end):
    [line] = [entry.line for entry in catalogue.entries(kind) if entry.name == name]
    assert line.endswith(end)


def test_listing_loads_no_torch():
    program = "import sys; from motionrft.cli import main; main(['list']); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
