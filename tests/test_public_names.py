"""The library's own names: they are there, and asking for the package loads no torch."""

import subprocess
import sys

import pytest

import motionrft


@pytest.mark.parametrize("name", [name for name in motionrft.__all__ if name != "__version__"])
def test_every_public_name_is_there(name):
    assert callable(getattr(motionrft, name))
    assert name in dir(motionrft)


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="no attribute 'torch'"):
        _ = motionrft.torch


def test_the_package_is_light():
    program = "import sys, motionrft; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
