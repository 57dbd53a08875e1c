"""docs/first_steps.ipynb runs from top to bottom in an empty folder, in five minutes of one processor."""

import os
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from motionrft.configuration.files import ROOT

NOTEBOOK = nbformat.read(ROOT / "docs" / "first_steps.ipynb", as_version=4)


def test_it_is_kept_without_outputs():
    cells = [cell for cell in NOTEBOOK.cells if cell.cell_type == "code"]
    assert len(cells) > 5
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


@pytest.mark.slow
def test_it_runs_and_the_reward_has_grown(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))  # fmt: skip
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    began = os.times().children_user + os.times().children_system
    client = NotebookClient(NOTEBOOK, timeout=580, resources={"metadata": {"path": str(tmp_path)}})
    done = client.execute()
    spent = os.times().children_user + os.times().children_system - began
    assert 5 < spent < 300
    said = "".join(out.get("text", "") for cell in done.cells for out in cell.get("outputs", ()))
    pairs = re.findall(r"(-?[0-9.]+) m -> +(-?[0-9.]+) m", said)
    assert len(pairs) == 3
    assert all(float(after) > float(before) + 0.02 for before, after in pairs), pairs
    for name in ("wave.gif", "wave.html", "jump.npz", "results/first/finetune/raised.safetensors"):
        assert (tmp_path / name).exists()
