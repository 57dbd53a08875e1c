"""The recorded clips that the tests of this room share."""

from functools import cache
from pathlib import Path

from torch import Tensor

from motionrft.files import read_tensors

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "data_eval"
MOVING = ("walk_turn", "stand", "jump", "spin", "crouch", "dance41")


@cache
def tensors(name: str) -> dict[str, Tensor]:
    return read_tensors(FIXTURES / f"{name}.safetensors")[0]


def clip(name: str) -> Tensor:
    """[T, 22, 3] raw joints of one recorded clip."""
    return tensors("features_t2m")[f"{name}.joints_in"]
