"""Cards: what they hold and how fast they are, and how long counted work takes on one. Free of torch.

Rates are the vendors' figures for dense products (data sheets of the SXM or desktop form).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from typing import ClassVar

from motionrft.counting.costs import Work
from motionrft.errors import InputError, unknown_name

# what a transformer of these sizes reaches of a card's rates, in matrix products and in other kernels
PRODUCTS, TRAFFIC = 0.5, 0.7
LAUNCH = 8e-6  # seconds from one kernel's start to the next, where Python starts them one by one
GIB = 2**30


@dataclass(frozen=True)
class Card:
    """memory in GiB; operations a second of float32, TF32 and bfloat16 products; bytes a second of its memory.

    kind   what it is called in tables
    begin  seconds of a job before it computes: libraries, files. On a card nothing beside its hours
    """

    kind: ClassVar[str] = "GPU"
    begin: ClassVar[float] = 0.0

    name: str
    memory: float
    fp32: float
    tf32: float
    bf16: float
    bandwidth: float

    def seconds(self, work: Work, precision: str = "tf32") -> float:
        """Products and traffic one after another, at least the time that starting the kernels takes."""
        rate = {"fp32": self.fp32, "tf32": self.tf32, "bf16": self.bf16}[precision]
        computing = work.flops / (PRODUCTS * rate) + work.traffic / (TRAFFIC * self.bandwidth)
        return max(computing, work.kernels * LAUNCH)


CARDS = {
    card.name: card
    for card in (
        Card("H200", 141, 67e12, 495e12, 989e12, 4.8e12),
        Card("H100", 80, 67e12, 495e12, 989e12, 3.35e12),
        Card("A100", 80, 19.5e12, 156e12, 312e12, 2.0e12),
        Card("A100 40GB", 40, 19.5e12, 156e12, 312e12, 1.55e12),
        Card("L40S", 48, 91.6e12, 183e12, 362e12, 0.86e12),
        Card("A6000", 48, 38.7e12, 77e12, 155e12, 0.77e12),
        Card("RTX 5090", 32, 105e12, 105e12, 210e12, 1.79e12),
        Card("RTX 4090", 24, 82.6e12, 82.6e12, 165e12, 1.01e12),
        Card("RTX 3090", 24, 35.6e12, 35.6e12, 71e12, 0.94e12),
        Card("V100", 32, 15.7e12, 15.7e12, 125e12, 0.9e12),
        Card("T4", 15, 8.1e12, 8.1e12, 65e12, 0.3e12),
    )
}
REFERENCE = CARDS["A100"]  # whose speed is assumed of a card that is only known by its memory


def card_named(name: str) -> Card:
    """`H100`, `H100 80GB`, `NVIDIA A100-SXM4-80GB`: a card of the list, with that memory; `48`, `48GB`: A100s with so
    much memory."""
    sizes = re.findall(r"(\d+(?:\.\d+)?)\s*(?:GB|GiB)\b", name, re.IGNORECASE)
    if re.fullmatch(r"\s*\d+(\.\d+)?\s*", name):
        sizes = [name]
    memory = float(sizes[-1]) if sizes else None
    words = re.sub(r"[^a-z0-9]", "", name.lower())
    known = [
        card for card in CARDS.values() if re.sub(r"[^a-z0-9]", "", card.name.lower()) in words
    ]
    if not known and (
        memory is None or re.search(r"[a-z]", words.replace("gb", "").replace("gib", ""))
    ):
        raise unknown_name("card", name, CARDS, where="--card", add="its memory alone, e.g. 48")
    card = (
        max(known, key=lambda card: len(card.name)) if known else replace(REFERENCE, name="A100s")
    )
    if memory is not None and memory <= 0:
        raise InputError(f"{name} holds nothing", where="--card", fix="give its memory in GB")
    return card if memory is None else replace(card, memory=memory)


def card_here() -> Card | None:
    """The first GPU of this machine, as its driver names it; None without one."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    if shutil.which(command[0]) is None:
        return None
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = answer.stdout.splitlines()
    if answer.returncode or not lines:
        return None
    name, _, memory = lines[0].partition(",")
    try:
        card = card_named(name.strip())
    except InputError:
        card = REFERENCE
    return replace(card, name=name.strip(), memory=float(memory) * 2**20 / GIB)
