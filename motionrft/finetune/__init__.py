"""Fine-tuning a text-to-motion generator by a reward, and sampling under it: methods, loop, cost, analyses.

The package can be called: `motionrft.finetune(model, reward, …)` is `motionrft.finetune.from_python.finetune`.
"""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from motionrft.finetune.from_python import finetune

        return finetune(*arguments, **options)


sys.modules[__name__].__class__ = _Callable
