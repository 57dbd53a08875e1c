from __future__ import annotations

import numpy as np
import pytest

from motionrft.errors import InputError
from motionrft.metrics.statistics import interval95


def test_interval_is_196_population_deviations_over_root_r():
    mean, half = interval95([1.0, 3.0])
    assert (mean, half) == (2.0, pytest.approx(1.96 / np.sqrt(2)))
    assert interval95([4.0])[1] == 0.0
    with pytest.raises(InputError, match="no replication"):
        interval95([])
