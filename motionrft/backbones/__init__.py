"""Text-to-motion generators. Drop-in: the package `motionrft/backbones/<family>/` defines `BACKBONE`.

    __init__.py   BACKBONE, a subclass of `motionrft.backbones.base.Backbone`
    model.py      the network with its spaces and its training losses
    options.py    the `network:` section of `config/backbones/<name>.yaml` as a checked dataclass
    official.py   where official checkpoints exist: `load(backbone, path) -> LoadReport`, which takes them strictly,
                  and `export(backbone, path, like)`, which writes their layout; `like` names an official
                  file whose other contents (evaluators, a text encoder) are carried over, or is None

Further modules of a package are the family's own. `config/backbones/<name>.yaml` names the family and its sizes,
and `workflow/schemas/backbone-<family>.schema.yaml` describes its options. What all families share stands
beside the packages: `base`, `io`, `pretrain`, `generate`, `lora`, `flow_matching`, `normalisation`.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from motionrft.errors import unknown_name

if TYPE_CHECKING:
    from motionrft.backbones.base import Backbone


def families() -> list[str]:
    """The packages of this folder, sorted; none of them is imported."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def family(name: str) -> type[Backbone]:
    """The `BACKBONE` of the package `motionrft/backbones/<name>/`; any other name is an `InputError`."""
    known = families()
    if name not in known:
        package = f"motionrft/backbones/{name}/"
        raise unknown_name("backbone family", name, known, field="family", add=package)
    backbone: type[Backbone] = importlib.import_module(f"{__name__}.{name}").BACKBONE
    return backbone
