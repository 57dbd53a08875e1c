"""Reference numbers in files, and the record of which of them were used or checked.

A case is a pair `<name>.safetensors` + `<name>.json` (either may be absent). A family reads its inputs
with `case.input(key)`, and compares results with `case.compare(key, value, …)`; a tensor or a listed
number that nobody touched is a failure, so that a check cannot silently cover less than the file holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motionrft.errors import InputError
from motionrft.files import read_tensors


@dataclass(frozen=True)
class Check:
    """One compared quantity. `passed` is |actual - expected| <= atol + rtol |expected|, NaN equal to NaN."""

    family: str
    case: str
    quantity: str
    absolute: float
    relative: float
    tolerance: str
    passed: bool


@dataclass
class Case:
    name: str
    folder: Path
    tensors: dict[str, Tensor]
    meta: dict[str, Any]
    family: str = ""
    checks: list[Check] = field(default_factory=list)
    _touched: set[str] = field(default_factory=set)

    def input(self, key: str) -> Tensor:
        """A recorded tensor used as an input. float16 storage of weights comes back as float32."""
        if key not in self.tensors:
            raise InputError(
                f"no tensor {key!r}",
                where=self.folder / f"{self.name}.safetensors",
                fix="use a complete set",
            )
        self._touched.add(key)
        tensor = self.tensors[key]
        return tensor.float() if tensor.dtype == torch.float16 else tensor

    def inputs(self, prefix: str) -> dict[str, Tensor]:
        """All tensors under a prefix, the prefix removed."""
        return {
            key[len(prefix) :]: self.input(key) for key in self.tensors if key.startswith(prefix)
        }

    def matching(self, pattern: str) -> list[re.Match[str]]:
        """The recorded tensors of a kind, by name: how many there are, and the steps, indices and sizes in their
        names, are the record's."""
        return [found for key in sorted(self.tensors) if (found := re.fullmatch(pattern, key))]

    def touch(self, keys: Iterable[str]) -> None:
        """Marks recorded tensors as used in another way than `input` or `compare`."""
        self._touched.update(keys)

    def number(self, path: str) -> Any:
        """A recorded JSON value used as an input; `path` is dotted (`cfg.width`)."""
        value: Any = self.meta
        for step in path.split("."):
            if not isinstance(value, dict) or step not in value:
                raise InputError(
                    "no such value",
                    where=self.folder / f"{self.name}.json",
                    field=path,
                    fix="use a complete set",
                )
            value = value[step]
        self._touched.add(path)
        return value

    def stated(self, path: str, pattern: str, *default: float) -> tuple[float, ...]:
        """Numbers that the recorded sentence at `path` states: the groups of `pattern`, or `default` where there is
        no such sentence."""
        text: Any = self.meta
        for step in path.split("."):
            text = text.get(step, {}) if isinstance(text, dict) else {}
        found = re.search(pattern, text) if isinstance(text, str) else None
        return tuple(float(group) for group in found.groups()) if found else default

    def require_numbers(self) -> None:
        """One failing check for each recorded JSON number that neither `number` nor `compare` touched.

        A `seed` is how a set was made, not what came of it.
        """
        for path in _number_paths(self.meta):
            steps = path.split(".")
            if steps[-1] == "seed":
                continue
            if not any(
                ".".join(steps[:depth]) in self._touched for depth in range(1, len(steps) + 1)
            ):
                self.unchecked(path)

    def unchecked(self, quantity: str) -> None:
        """One failing check for a recorded quantity that the suite computes nothing for."""
        label = f"{quantity} (recorded, but nothing checked it)"
        self.checks.append(Check(self.family, self.name, label, np.nan, np.nan, "-", False))

    def compare(
        self,
        key: str,
        actual: Any,
        *,
        atol: float | Tensor = 0.0,
        rtol: float = 0.0,
        expected: Any = None,
    ) -> None:
        """Compares with the recorded tensor `key`, else the JSON value at that dotted path, or with `expected`
        under that label. `atol` may be a tensor, a number an entry; the largest is reported."""
        if expected is None:
            expected = self.input(key) if key in self.tensors else self.number(key)
        self._touched.add(key)
        a = np.asarray(actual.detach().cpu() if isinstance(actual, Tensor) else actual)
        e = np.asarray(expected.detach().cpu() if isinstance(expected, Tensor) else expected)
        slack = np.asarray(atol, dtype=np.float64)
        widest = f"{float(slack.max()):.3g}"
        tolerance = (
            "exact"
            if widest == "0" and rtol == 0
            else f"{widest} + {rtol:.3g} rel"
            if rtol
            else widest
        )
        if a.shape != e.shape:
            self.checks.append(
                Check(
                    self.family,
                    self.name,
                    f"{key} (shape {a.shape}, expected {e.shape})",
                    np.inf,
                    np.inf,
                    tolerance,
                    False,
                )
            )
            return
        a, e = a.astype(np.float64), e.astype(np.float64)
        same_nan = np.isnan(a) == np.isnan(e)
        with np.errstate(invalid="ignore"):  # inf - inf, where both are the same
            difference = np.abs(np.where(np.isnan(e) & np.isnan(a) | (a == e), 0.0, a - e))
        difference = np.where(same_nan, difference, np.inf)
        size = np.abs(np.nan_to_num(e))
        absolute = float(difference.max(initial=0.0))
        scale = float(size.max(initial=0.0))
        passed = bool((difference <= slack + rtol * size).all())
        self.checks.append(
            Check(
                self.family,
                self.name,
                key,
                absolute,
                absolute / scale if scale else absolute,
                tolerance,
                passed,
            )
        )

    def compare_scaled(self, key: str, actual: Tensor, share: float) -> None:
        """Compares with the recorded tensor within `share` of its largest number, and of each number."""
        largest = float(self.input(key).abs().max())
        self.compare(key, actual, atol=share * largest, rtol=share)

    def untouched(self) -> list[str]:
        return sorted(set(self.tensors) - self._touched)


def _number_paths(value: Any, path: str = "") -> list[str]:
    """Dotted paths of all numbers in nested dictionaries; a list that holds numbers is one entry."""
    if isinstance(value, dict):
        return [
            found
            for key, item in value.items()
            for found in _number_paths(item, f"{path}.{key}" if path else key)
        ]
    if isinstance(value, list):
        return [path] if any(_number_paths(item) or _is_number(item) for item in value) else []
    return [path] if _is_number(value) else []


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def read_cases(folder: str | Path) -> list[Case]:
    """Every case of a folder, by name. A folder without any is an error."""
    folder = Path(folder)
    names = sorted(
        {path.stem for pattern in ("*.safetensors", "*.json") for path in folder.glob(pattern)}
    )
    if not names:
        raise InputError(
            "no .safetensors or .json reference file",
            where=folder,
            fix="name a folder of golden files",
        )
    cases = []
    for name in names:
        tensors: dict[str, Tensor] = {}
        meta: dict[str, Any] = {}
        if (folder / f"{name}.safetensors").exists():
            tensors, _ = read_tensors(folder / f"{name}.safetensors")
        if (folder / f"{name}.json").exists():
            meta = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        cases.append(Case(name, folder, tensors, meta))
    return cases
