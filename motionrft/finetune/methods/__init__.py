"""Reward fine-tuning methods, a file each, found by name.

`<family>.py` defines `METHOD`, a subclass of `motionrft.finetune.method.Method`: a frozen dataclass of the
method's options. `config/methods/<name>.yaml` names the family and the options,
`workflow/schemas/method-<family>.schema.yaml` (not required) describes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motionrft import drop_ins

if TYPE_CHECKING:
    from motionrft.finetune.method import Method


def method_family(name: str) -> type[Method]:
    """The `METHOD` of `motionrft/finetune/methods/<name>.py`."""
    method: type[Method] = drop_ins.load(__name__, name, "method family", "family").METHOD
    return method
