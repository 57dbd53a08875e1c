"""The figures' look is the suite's own."""

import os
import subprocess
import sys
from pathlib import Path

from motionrft.reporting.style import look

CODE = """
import sys
from motionrft.reporting.style import panels
figure, axes = panels(2)
axes[0].plot([1, 2, 3], label="a $x$ and 50 %")
axes[0].legend()
figure.savefig(sys.argv[1], metadata={"Software": None})
"""


def test_a_users_matplotlibrc_changes_nothing(tmp_path: Path):
    """text.usetex alone stops every figure on a machine without LaTeX."""
    (tmp_path / "matplotlibrc").write_text(
        "text.usetex: True\nfont.family: serif\naxes.grid: False\nlines.linewidth: 9\nsavefig.dpi: 10\n"
        "svg.hashsalt: x\naxes.prop_cycle: cycler('color', ['k'])\n"
    )
    drawn = []
    for rc in (tmp_path / "matplotlibrc", None):
        path = tmp_path / f"{len(drawn)}.png"
        environment = {name: value for name, value in os.environ.items() if name != "MATPLOTLIBRC"}
        if rc:
            environment["MATPLOTLIBRC"] = str(rc)
        done = subprocess.run(
            [sys.executable, "-c", CODE, str(path)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        drawn.append(path.read_bytes())
    assert drawn[0] == drawn[1]


def test_no_two_of_thirty_series_look_alike():
    looks = [(look(index)["color"], look(index)["marker"]) for index in range(30)]
    assert len(set(looks)) == 30
