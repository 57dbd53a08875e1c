"""The finder of drop-in folders."""

import subprocess
import sys
from pathlib import Path

import pytest

from motionrft import drop_ins
from motionrft.errors import InputError

METHODS = "motionrft.finetune.methods"


def test_names_are_those_of_the_files():
    folder = Path(drop_ins.__file__).parent / "finetune" / "methods"
    assert drop_ins.names(METHODS) == sorted(
        path.stem for path in folder.glob("*.py") if path.stem != "__init__"
    )


def test_listing_imports_none():
    code = (
        "import sys; from motionrft import drop_ins;"
        f"names = drop_ins.names({METHODS!r});"
        f"print([name for name in names if '{METHODS}.' + name in sys.modules], 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "False"]


def test_a_name_without_a_file_lists_those_that_have_one():
    with pytest.raises(InputError) as error:
        drop_ins.load(METHODS, "drift", "method family", "family")
    line = str(error.value)
    assert line.startswith("family: unknown method family 'drift'")
    assert "draft" in line
    assert "motionrft/finetune/methods/drift.py" in line


def test_a_file_that_breaks_says_so(tmp_path, monkeypatch):
    """What a drop-in fails to import is not taken for a missing drop-in."""
    package = tmp_path / "kinds_of_test"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "broken.py").write_text("import no_such_library")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        drop_ins.load("kinds_of_test", "broken", "kind")
