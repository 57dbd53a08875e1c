"""MotionRFT, reproducible: reward fine-tuning for text-to-motion generation as one DAG.

The names of `__all__` are the library's: what its commands write can be read, sampled and scored with them.
Each is imported from its module when it is first asked for, so that `import motionrft` loads no torch.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.2.0"

_MODULES = {
    "InputError": "motionrft.errors",
    "resolve": "motionrft.configuration",
    "FeatureStore": "motionrft.corpus.store",
    "MotionDataset": "motionrft.corpus.dataset",
    "TextCache": "motionrft.text.features",
    "load_backbone": "motionrft.backbones.io",
    "Condition": "motionrft.backbones.base",
    "step_table": "motionrft.diffusion.schedules",
    "Sampler": "motionrft.diffusion.sampler",
    "SeededNoise": "motionrft.diffusion.sampler",
    "MotionReward": "motionrft.reward.motion_reward",
    "load_model": "motionrft.inference.model",
    "load_reward": "motionrft.inference.reward",
    "finetune": "motionrft.finetune.from_python",
    "read_motion": "motionrft.inference.motion",
    "Motion": "motionrft.inference.motion",
}
__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'motionrft' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
