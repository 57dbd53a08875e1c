"""What happens at a single denoising step of a cell."""

from __future__ import annotations

from pathlib import Path

from cyclopts.types import PositiveInt

from motionrft.cli.app import app
from motionrft.cli.options import Cell, CellFiles, RunFile, named


@app.command
def analyse(
    what: str,
    /,
    *,
    run: RunFile = RunFile(),
    cell: Cell,
    files: CellFiles,
    rows: PositiveInt = 64,
    out: Path,
    device: str = "auto",
) -> None:
    """Record what happens at single denoising steps.

    For example:
        python -m motionrft analyse gradients --backbone mld --method draft-50 \\
            --base results/toy/backbones/mld/denoiser.safetensors \\
            --reward results/toy/reward/semantic.safetensors \\
            --features results/toy/features \\
            --text results/toy/text/toy.safetensors \\
            --out results/toy/analyse/gradients/mld.parquet

    Parameters
    ----------
    what
        Which analysis, a file of motionrft/finetune/analysis: gradients (one step's Jacobian
        against the product of a chain), similarity (noised against clean motions), memory
        (what the method's graph holds, step by step), or your own.
    rows
        Captions or motions.
    out
        File to write, .parquet.
    device
        Where to compute: auto, cpu or cuda.
    """
    from motionrft.device import pick_device
    from motionrft.files import provenance, write_table
    from motionrft.finetune.analysis import analysis
    from motionrft.finetune.prompt_data import Sources
    from motionrft.finetune.setup import prepare, without_validation

    make = analysis(what)
    resolved = run.load()
    for section, name in (("backbones", cell.backbone), ("methods", cell.method)):
        named(resolved, section, name, run.config)
    chosen = pick_device(device)
    sources = Sources(files.base, files.reward, files.features, files.text, files.reward_text)
    single = without_validation(resolved, cell.method, rows)
    frame = make(prepare(single, cell.backbone, cell.method, cell.seed, sources, chosen))
    about = {
        "what": what,
        "backbone": cell.backbone,
        "method": cell.method,
        "provenance": provenance(resolved["finetune"], seed=cell.seed, device=str(chosen)),
    }
    write_table(out, frame, about)
