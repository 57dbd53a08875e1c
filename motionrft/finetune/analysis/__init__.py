"""What happens at a single denoising step: an analysis a file, found by name.

`<name>.py` defines `ANALYSIS`: from a prepared run without validation (`motionrft.finetune.setup.FineTuning`)
to a tidy table. A run makes it of its analysed backbones (`analyse:` in its file), of the first method or, named in
`every_method`, of all; `motionrft analyse <name>` makes one. Importing this package loads no analysis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from motionrft import drop_ins

if TYPE_CHECKING:
    import pandas as pd

    from motionrft.finetune.setup import FineTuning


def analysis(name: str) -> Callable[[FineTuning], pd.DataFrame]:
    """The `ANALYSIS` of `motionrft/finetune/analysis/<name>.py`."""
    function: Callable[[FineTuning], pd.DataFrame] = drop_ins.load(
        __name__, name, "analysis", "analyse"
    ).ANALYSIS
    return function
