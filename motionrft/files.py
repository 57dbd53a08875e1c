"""What lies on disk between two rules: written atomically, each carrying its provenance.

A file is first written beside its place under a temporary name and then renamed, so that a killed
job leaves either the finished file or none. Importing this module costs no torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motionrft import __version__
from motionrft.errors import InputError

if TYPE_CHECKING:
    import pandas
    import torch

STARTED = time.monotonic()
LIBRARIES = ("torch", "numpy", "diffusers", "transformers", "peft")


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path in the same folder; it takes the name `path` only if the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(folder: str | Path, last: str = "", owned: Sequence[str] = ()) -> Iterator[Path]:
    """Yields an empty folder beside `folder`; if the block succeeds, what it wrote there moves into `folder`.

    Until then `folder` stays as it is. last: the file that marks a complete folder: the old one goes first, the
    new one comes last. owned: patterns of what earlier runs may have left and this one has not written; it is
    removed. Anything else in `folder` is the user's, and stays.
    """
    folder = Path(folder).resolve()
    temporary = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        written = sorted(temporary.iterdir(), key=lambda path: path.name == last)
        folder.mkdir(exist_ok=True)
        # Snakemake's own time-stamp of a directory, which would hide that its files are new
        stale = {folder / ".snakemake_timestamp"}
        stale |= {path for pattern in [last, *owned] if pattern for path in folder.glob(pattern)}
        for path in stale | {folder / path.name for path in written if path.is_dir()}:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        for path in written:
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def digest(value: Any) -> str:
    """Twelve hex digits that name a JSON-able value: equal configurations have equal digests."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def file_digest(path: str | Path) -> str:
    """Twelve hex digits that name a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


@cache
def code_version() -> str:
    """The package version, with the commit and a `+dirty` mark when run from a checkout."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return __version__
    try:
        commit = subprocess.run(
            ["git", "describe", "--always", "--dirty=+dirty", "--exclude=*"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return __version__
    return f"{__version__}+g{commit}"


@cache
def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


def provenance(
    config: Any, *, seed: int | None = None, device: str = "cpu", **facts: Any
) -> dict[str, Any]:
    """Where a result comes from; `facts` are the caller's own (corpus digest, evaluator, …).

    `wall_s` counts from the start of the process and `peak_rss_mb` is the process's own peak;
    `peak_device_mb` is null without a GPU rather than 0.
    """
    import sys

    peak_device = None
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        peak_device = torch.cuda.max_memory_allocated() / 2**20
        device = torch.cuda.get_device_name() if str(device).startswith("cuda") else str(device)
    return {
        "config_digest": digest(config),
        "code": code_version(),
        "seed": seed,
        "device": str(device),
        "processor": processor(),
        "cores": os.cpu_count(),
        "host": platform.node(),
        "python": platform.python_version(),
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "wall_s": round(time.monotonic() - STARTED, 2),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "peak_device_mb": peak_device,
        **facts,
    }


def write_json(path: str | Path, value: Any) -> None:
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, sort_keys=False) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError("no such file", where=path, fix="run the rule that makes it") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(
            f"not valid JSON ({error})", where=path, fix="delete it and run again"
        ) from None


def write_table(
    path: str | Path, frame: pandas.DataFrame, about: Mapping[str, Any] | None = None
) -> None:
    """A tidy table as parquet, `about` (configuration, provenance) in the file's own metadata."""
    import pyarrow
    import pyarrow.parquet

    # byte by byte, numbers that hardly repeat take two thirds of what they take in a dictionary
    varied = [
        str(name)
        for name in frame.select_dtypes("floating").columns
        if 4 * frame[name].nunique() > len(frame)
    ]
    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata(
        {**(table.schema.metadata or {}), b"motionrft": json.dumps(about or {}).encode()}
    )
    with atomic(path) as temporary:
        pyarrow.parquet.write_table(
            table,
            temporary,
            compression="zstd",
            compression_level=19,
            use_dictionary=[str(name) for name in frame.columns if str(name) not in varied],
            use_byte_stream_split=varied or False,
        )


def read_table(path: str | Path) -> tuple[pandas.DataFrame, dict[str, Any]]:
    """The table and the `about` it was written with."""
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except FileNotFoundError:
        raise InputError("no such file", where=path, fix="run the rule that makes it") from None
    except pyarrow.ArrowInvalid as error:
        raise InputError(
            f"not a readable parquet file ({error})", where=path, fix="delete it and run again"
        ) from None
    return table.to_pandas(), json.loads((table.schema.metadata or {}).get(b"motionrft", b"{}"))


def write_tensors(
    path: str | Path, tensors: Mapping[str, torch.Tensor], about: Mapping[str, Any]
) -> None:
    """A `.safetensors` file with `about` (configuration, provenance) as JSON in its header."""
    from safetensors.torch import save_file

    ready = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with atomic(path) as temporary:
        save_file(ready, str(temporary), metadata={"motionrft": json.dumps(about)})


def read_tensors(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors and the `about` they were written with. Truncated or foreign files are one clear error."""
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if path.is_dir():
        there = ", ".join(sorted(file.name for file in path.glob("*.safetensors")))
        raise InputError(
            "a folder", where=path, fix=f"name a file in it ({there or 'it has no .safetensors'})"
        )
    if not path.is_file():
        raise InputError("no such file", where=path, fix="run the rule that makes it")
    try:
        with safe_open(str(path), framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("motionrft", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"truncated or not a safetensors file ({error})",
            where=path,
            fix="delete it and run its rule again",
        ) from None
