"""The networks that generated motions are scored with: a file or folder here each, its name `evaluator.network`.

Contract. A drop-in defines `EVALUATOR`, an object of a subclass of `motionrft.evaluation.evaluator.EvaluatorKind`:

- `build(arguments, normaliser)`: the network, from the `build` section of an evaluator file;
- `read_official(settings, features, text, where)`: the network and what belongs to it, from the files of a
  release that the `evaluator:` section names;
- `train(settings, features, text, checkpoint, device, seed)`, where the network can be trained.

Inside a folder `model` is the network and `official` reads the released files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motionrft import drop_ins

if TYPE_CHECKING:
    from motionrft.evaluation.evaluator import EvaluatorKind

DEFAULT = "t2m"


def load(name: str) -> EvaluatorKind:
    """The kind of evaluator that the drop-in `name` defines; an unknown name is an `InputError`."""
    kind: EvaluatorKind = drop_ins.load(
        __name__, name, "evaluator network", "evaluator.network"
    ).EVALUATOR
    return kind
