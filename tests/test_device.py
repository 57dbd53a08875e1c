"""`--device`: what is there is taken, what is not is one line."""

import pytest
import torch

from motionrft.device import pick_device
from motionrft.errors import InputError


def test_names(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    assert pick_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match="--device: no GPU is visible"):
        pick_device("cuda")
    with pytest.raises(InputError, match="--device: unknown device 'gpu'"):
        pick_device("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto") == torch.device("cuda")
    assert pick_device("cuda:1") == torch.device("cuda", 1)
