"""What a `text.<name>` section says of the features before there are any, and who reads which of them. Free of torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from motionrft.configuration.schema import Validator, has_schema, read_schema
from motionrft.errors import InputError, unknown_name

POOLED = "pooled"


def text_widths(encoder: dict[str, Any]) -> dict[str, int] | None:
    """{"pooled", "tokens"}: widths of an encoder's features, where its section says them."""
    if "width" in encoder:
        return {"pooled": encoder["width"], "tokens": encoder["width"]}
    widths: dict[str, int] | None = encoder.get("widths")
    return widths


def family_facts(backbone: dict[str, Any]) -> dict[str, Any]:
    """What the schema of a backbone's family says beside its keys: reads_tokens, textless, reads_beside."""
    name = f"backbone-{backbone['family']}"
    return read_schema(name) if has_schema(name) else {}


def reads_tokens(backbone: dict[str, Any]) -> bool:
    """Whether a backbone reads token states, or pooled vectors alone: by its family's schema `reads_tokens`."""
    return bool(Validator(family_facts(backbone).get("reads_tokens", True)).is_valid(backbone))


def evaluator_reads_text(evaluator: dict[str, Any]) -> bool:
    """Whether the run's evaluator reads a text cache; official files of some networks hold words of their own."""
    network = read_schema("evaluator")["properties"]["network"]
    return "checkpoint" not in evaluator or evaluator["network"] not in network["own_words"]


def check_encoders(run: dict[str, Any], where: str | Path) -> None:
    """Every text encoder that is read has an entry, which keeps what is read of it."""
    readers = {"reward": (run["reward"], True)}
    if evaluator_reads_text(run["evaluator"]) or run["evaluator"].get("judge") is not None:
        readers["evaluator"] = (run["evaluator"], True)
    readers |= {
        f"backbones.{name}": (entry, reads_tokens(entry))
        for name, entry in run["backbones"].items()
    }
    for place, (entry, tokens) in readers.items():
        encoder, field, known = entry["text"], f"{place}.text", run["text"]
        if encoder not in known:
            raise unknown_name(
                "text encoder", encoder, known, where=where, field=field, add="it to `text`"
            )
        if tokens and known[encoder].get("keep") == POOLED:
            raise InputError(
                f"reads token states, and {encoder} keeps pooled vectors alone",
                where=where,
                field=field,
                fix=f"name an encoder without `keep: {POOLED}`, or take that out of text.{encoder}",
            )
