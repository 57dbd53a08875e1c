"""A text feature file, written as its captions are encoded: memory holds one batch, a killed job goes on where it was.

Until it is finished it lies in the folder `<file>.partial`: `data`, the file itself in the making, with room for its
header and a place for everything whose size is known beforehand; `mask`, which goes behind the tokens; and
`progress.json`, which says up to where both are whole.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import torch
from torch import Tensor

from motionrft.errors import InputError
from motionrft.files import digest, read_json, write_json
from motionrft.text.features import TextBatch

Stored = Literal["float32", "float16"]
STORED: dict[str, torch.dtype | None] = {"float32": None, "float16": torch.float16}
NAMES = {  # of safetensors
    torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64", torch.uint8: "U8",
}  # fmt: skip
HEADER = 2**16  # bytes: more than any `about`; the rest are blanks, as the format allows
COPIED = 2**24  # bytes at a time


@dataclass
class Progress:
    """How far a file is: captions done, token states written; and what the first batch told of their widths and kind."""

    identity: str
    done: int = 0
    tokens: int = 0
    pooled: int = 0
    width: int = 0
    kind: str = ""


class CacheWriter:
    """The features of `captions`, in that order, on their way into the file `path`.

    done     captions whose features an earlier, killed job has left; `add` takes those of the following ones
    tokens   False: pooled vectors alone
    stored   of token states: float32, as the encoder gives them, or float16. Pooled vectors are never rounded.
    """

    def __init__(
        self,
        path: str | Path,
        captions: Sequence[str],
        about: dict[str, Any],
        *,
        tokens: bool = True,
        stored: Stored = "float32",
    ):
        self.path, self.captions, self.about = Path(path), list(captions), about
        self.text = "\n".join(self.captions).encode()
        self.tokens, self.stored = tokens, STORED[stored]
        self.folder = self.path.with_name(f"{self.path.name}.partial")
        made_of = {key: value for key, value in about.items() if key != "provenance"}
        self.state = Progress(digest([made_of, self.captions, tokens, stored]))
        self._resume()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data: BinaryIO = _opened(self.folder / "data")
        self.mask: BinaryIO = _opened(self.folder / "mask")

    @property
    def done(self) -> int:
        return self.state.done

    def _resume(self) -> None:
        """Takes up what lies there if it is of these captions and whole."""
        progress = self.folder / "progress.json"
        state = Progress(**read_json(progress)) if progress.exists() else None
        begun = self.state
        if state is not None and state.identity == begun.identity:
            self.state = state
            sizes = {"data": self._end_of_tokens(), "mask": state.tokens}
            files = {self.folder / name: size for name, size in sizes.items()}
            if all(file.exists() and file.stat().st_size >= size for file, size in files.items()):
                return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.state = begun

    # where in the file everything lies: eight-byte numbers first, bytes last, so that all are aligned

    def _places(self) -> dict[str, tuple[int, str, list[int], int]]:
        """name -> (begin, dtype, shape, bytes), in the order of the file; `mask` and `captions` follow the tokens."""
        count, pooled, width = len(self.captions), self.state.pooled, self.state.width
        total, kind = self.state.tokens, self.state.kind
        item = {"F32": 4, "F16": 2, "BF16": 2}.get(kind, 4)
        parts: list[tuple[str, str, list[int], int]] = [
            ("offsets", "I64", [count + 1], 8 * (count + 1)),
            ("eos", "I64", [count], 8 * count),
            ("pooled", "F32", [count, pooled], 4 * count * pooled),
            ("tokens", kind, [total, width], item * total * width),
            ("mask", "U8", [total], total),
            ("captions", "U8", [len(self.text)], len(self.text)),
        ]
        places, begin = {}, HEADER
        for name, dtype, shape, size in parts:
            places[name] = (begin, dtype, shape, size)
            begin += size
        return places

    def _end_of_tokens(self) -> int:
        begin, _, _, size = self._places()["tokens"]
        return begin + size

    def add(self, batch: TextBatch) -> None:
        """The features of the next `len(batch)` captions; on disk when this returns."""
        tokens = batch.tokens if self.stored is None else batch.tokens.to(self.stored)
        if self.stored is not None and not bool(tokens[batch.mask].isfinite().all()):
            raise InputError(
                "token states are too large for float16",
                where=self.path,
                field="text: stored",
                fix="leave `stored: float16` out of the encoder's section",
            )
        if not self.done:
            self.state.kind, self.state.width = NAMES[tokens.dtype], tokens.shape[2]
            self.state.pooled = batch.pooled.shape[1]
        counts = torch.zeros(len(batch), dtype=torch.long)
        if self.tokens:
            numbers = torch.arange(1, batch.mask.shape[1] + 1)
            counts = (numbers * batch.mask).amax(dim=1)
        inside = torch.arange(batch.mask.shape[1]) < counts[:, None]
        ends = self.state.tokens + counts.cumsum(0)
        first = torch.tensor([self.state.tokens]) if not self.done else ends[:0]
        at = {"offsets": self.done + bool(self.done), "eos": self.done, "pooled": self.done}
        rows = {"offsets": torch.cat([first, ends]), "eos": batch.eos, "pooled": batch.pooled}
        places = self._places()
        for name, values in rows.items():
            begin, _, shape, size = places[name]
            self.data.seek(begin + at[name] * (size // shape[0]))
            self.data.write(_bytes(values.float() if name == "pooled" else values))
        self.data.seek(self._end_of_tokens())
        self.data.write(_bytes(tokens[inside]))
        self.mask.seek(self.state.tokens)
        self.mask.write(_bytes(batch.mask[inside].to(torch.uint8)))
        for file in (self.data, self.mask):
            file.flush()
        self.state.done, self.state.tokens = self.done + len(batch), int(ends[-1])
        write_json(self.folder / "progress.json", asdict(self.state))

    def finish(self) -> None:
        """Mask, captions and header; then the file takes its name. Raises if captions are missing."""
        if self.done != len(self.captions):
            raise ValueError(f"{self.done} of {len(self.captions)} captions have features")
        places = self._places()
        self.data.seek(places["mask"][0])
        self.data.truncate()
        self.mask.truncate(self.state.tokens)
        self.mask.seek(0)
        shutil.copyfileobj(self.mask, self.data, COPIED)
        self.data.write(self.text)
        header: dict[str, Any] = {"__metadata__": {"motionrft": json.dumps(self.about)}}
        for name, (begin, dtype, shape, size) in places.items():
            offsets = [begin - HEADER, begin - HEADER + size]
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        text = json.dumps(header).encode().ljust(HEADER - 8)
        if len(text) > HEADER - 8:
            raise ValueError(f"a header of {len(text)} bytes")
        self.data.seek(0)
        self.data.write((HEADER - 8).to_bytes(8, "little") + text)
        self.data.flush()
        os.fsync(self.data.fileno())
        for file in (self.data, self.mask):
            file.close()
        os.replace(self.folder / "data", self.path)
        shutil.rmtree(self.folder)


def write_cache(
    path: str | Path,
    captions: Sequence[str],
    batches: Iterable[TextBatch],
    about: dict[str, Any],
    *,
    tokens: bool = True,
    stored: Stored = "float32",
) -> None:
    """All at once: the features of `captions` (in that order, split into `batches`) as one file."""
    writer = CacheWriter(path, captions, about, tokens=tokens, stored=stored)
    skipped = writer.done
    for batch in batches:
        if skipped >= len(batch):
            skipped -= len(batch)
            continue
        writer.add(batch.select(slice(skipped, None)))
        skipped = 0
    writer.finish()


def _opened(path: Path) -> BinaryIO:
    """For reading and writing anywhere; what lies there stays."""
    path.touch()
    return open(path, "r+b")


def _bytes(values: Tensor) -> bytes:
    return values.contiguous().view(torch.uint8).numpy().tobytes() if values.numel() else b""
