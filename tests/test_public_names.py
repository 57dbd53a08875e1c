"""The library's own names: they are there, and asking for the package loads no torch."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import motionrft


@pytest.mark.parametrize("name", [name for name in motionrft.__all__ if name != "__version__"])
def test_every_public_name_is_there(name):
    assert callable(getattr(motionrft, name))
    assert name in dir(motionrft)


def test_the_stub_names_what_there_is():
    stub = ast.parse((Path(motionrft.__file__).parent / "__init__.pyi").read_text("utf-8"))
    named = {alias.name: node.module for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}  # fmt: skip
    assert {*named, "__version__"} == set(motionrft.__all__)
    for name, module in named.items():
        given, typed = getattr(motionrft, name), getattr(importlib.import_module(module), name)
        assert given is typed or name == "finetune"


def test_the_package_finetune_is_called_as_the_function():
    program = (
        "import motionrft, motionrft.finetune.settings as settings\n"
        "assert settings.Settings and callable(motionrft.finetune)\n"
        "assert 'torch' not in __import__('sys').modules\n"
        "try: motionrft.finetune(1)\n"
        "except TypeError as error: assert 'reward' in str(error), error\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="no attribute 'torch'"):
        _ = motionrft.torch


def test_the_package_is_light():
    program = "import sys, motionrft; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
