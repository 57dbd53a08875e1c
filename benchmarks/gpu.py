"""What a GPU makes of fine-tuning at full size: time, memory and gradients, by backbone, method and precision.

    python -m benchmarks.gpu --out results/gpu [--minutes 8] [--backbones mld mdm …]

From the repository's root, the project installed or not. Networks of the paper's sizes with random weights,
random text features and motions of 196 frames; no network access. Cells come in the order of what matters
most, a batch that does not fit is halved (the record says so and why), and `OUT.json` is rewritten after
every cell, so that a run that is cut keeps what it has; `OUT.md` is the same as tables.
`--device cpu --tiny` runs all of it at small sizes in seconds.

Columns: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

NEEDED = {
    "torch": "torch", "transformers": "transformers", "diffusers": "diffusers", "peft": "peft",
    "safetensors": "safetensors", "pandas": "pandas", "pyarrow": "pyarrow", "scipy": "scipy", "yaml": "PyYAML",
    "jsonschema": "jsonschema", "roma": "roma", "tqdm": "tqdm",
}  # fmt: skip
BACKBONES = ("mld", "mdm", "motiondiffuse", "mldpp", "motionlcm-4step", "acmdm", "hymotion-lite")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--out", type=Path, default=Path("results/gpu"), help="path of .json and .md"
    )
    parser.add_argument(
        "--minutes", type=float, default=8.0, help="end after so many, whatever is done"
    )
    parser.add_argument("--backbones", nargs="+", default=list(BACKBONES))
    parser.add_argument("--methods", nargs="+", default=["easytune", "draft-10", "draft-50"])
    parser.add_argument("--precisions", nargs="+", default=["fp32", "tf32", "bf16"])
    parser.add_argument("--batch", type=int, help="prompts an update (default 256; 4 with --tiny)")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small networks and motions")
    options = parser.parse_args(arguments)
    missing = [
        package for name, package in NEEDED.items() if importlib.util.find_spec(name) is None
    ]
    if missing:
        print(
            f"not installed: {', '.join(missing)}; pip install {' '.join(missing)}", file=sys.stderr
        )
        return 2
    from benchmarks.card.run import Plan, run

    return run(
        Plan(
            options.backbones, options.methods, options.precisions,
            options.batch or (4 if options.tiny else 256), options.minutes, options.device, options.tiny, options.out,
        )
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
