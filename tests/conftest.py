from __future__ import annotations

import pytest
import torch

from tests.browser import browser as browser


@pytest.fixture
def float64():
    """Networks and random inputs that the test makes are float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
