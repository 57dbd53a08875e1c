"""Folders whose files are found by their names: one more file is one more method, table, corpus kind.

The `__init__` of such a folder says what a file there must define and imports nothing heavy, so that
names are listed, when a run is planned, without loading what they name.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from motionrft.errors import unknown_name


def names(folder: str) -> list[str]:
    """What the folder (a package, `motionrft.corpus.kinds`) holds, sorted; none of it is imported."""
    return sorted(
        module.name for module in pkgutil.iter_modules(importlib.import_module(folder).__path__)
    )


def load(folder: str, name: str, what: str, field: str = "") -> ModuleType:
    """The module `name` of the folder.

    Raises `InputError` for a name that no file has: `what` it names ("method family"), `field` where a user has
    written it.
    """
    known = names(folder)
    if name not in known:
        file = f"{folder.replace('.', '/')}/{name}.py"
        raise unknown_name(what, name, known, field=field, add=file)
    return importlib.import_module(f"{folder}.{name}")
