"""Terms of the reward: `motionrft/reward/terms/<name>.py` defines `TERM`, found by the file's name.

A term is a `motionrft.reward.term.Term`: a function that scores a batch of motions, higher is better, differentiable
in their features. It counts where `reward.weights.<name>`, or a method's `reward_weights.<name>`, is positive.
Importing this package loads no term.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motionrft import drop_ins

if TYPE_CHECKING:
    from motionrft.reward.term import Term


def names() -> list[str]:
    """All terms, sorted; none is imported."""
    return drop_ins.names(__name__)


def load(name: str, field: str = "reward.weights") -> Term:
    """The term of a name; an unknown one is an `InputError` about `field`."""
    term: Term = drop_ins.load(__name__, name, "term of the reward", field).TERM
    return term


def branch_of(name: str) -> str | None:
    """The stage whose file a term needs beside the semantic one, if any."""
    return load(name).branch
