"""`--device`: what is there is taken, what is not is one line."""

import pytest
import torch

from motionrft.device import moved, pick_device
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


def test_float32_products_of_a_gpu_are_tf32(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    before = products.allow_tf32, convolutions.allow_tf32
    try:
        products.allow_tf32 = convolutions.allow_tf32 = False
        pick_device("cpu")
        assert not products.allow_tf32
        pick_device("auto")
        assert products.allow_tf32
        assert convolutions.allow_tf32
    finally:
        products.allow_tf32, convolutions.allow_tf32 = before


def test_what_is_moved_is_the_same():
    values = torch.arange(3)
    assert moved(values, "cpu") is values
    assert moved(values, "meta").device.type == "meta"
