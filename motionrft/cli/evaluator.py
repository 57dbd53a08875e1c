"""The network that scores generated motions, trained apart from every reward."""

from __future__ import annotations

from pathlib import Path

from motionrft.cli.app import app
from motionrft.cli.options import RunFile, tracking


@app.command
def train_evaluator(
    *,
    run: RunFile = RunFile(),
    features: Path,
    text: Path | None = None,
    judge: bool = False,
    seed: int = 0,
    out: Path,
    device: str = "auto",
) -> None:
    """Train the suite's own evaluator, or read an official one.

    An official one is read where the configuration has `evaluator.checkpoint`.

    For example:
        python -m motionrft train-evaluator --features results/toy/features \\
            --text results/toy/text/toy.safetensors \\
            --out results/toy/evaluator/model.safetensors

    Parameters
    ----------
    features
        Feature store folder.
    text
        Text feature file of the evaluator's encoder.
    judge
        Train the second one, `evaluator.judge`, which scores validations.
    seed
        Seed of first weights and batches (of a judge: the configuration's).
    out
        File to write; a history goes beside it.
    device
        Where to compute: auto, cpu or cuda.
    """
    from motionrft.device import pick_device
    from motionrft.errors import InputError
    from motionrft.evaluation import evaluators
    from motionrft.evaluation.evaluator_file import OFFICIAL, save_evaluator
    from motionrft.evaluation.settings import judge_settings
    from motionrft.files import provenance, write_table
    from motionrft.text.features import TextCache

    resolved = run.load()
    settings = resolved["evaluator"]
    if judge:
        settings, seed = judge_settings(settings, str(run.config))
    chosen = pick_device(device)
    kind = evaluators.load(settings.get("network", evaluators.DEFAULT))
    if settings.get("checkpoint"):
        evaluator, about, extra = kind.read_official(settings, features, text, str(run.config))
        facts = {"label": OFFICIAL, "corpus": "", "settings": settings, **about}
        facts["provenance"] = provenance(settings)
        save_evaluator(out, evaluator, facts, extra)
        return
    if text is None:
        raise InputError(
            "needed to train an evaluator",
            where="train-evaluator",
            field="--text",
            fix="name the file",
        )
    checkpoint = out.with_suffix(".checkpoint")
    with tracking(resolved, out):
        evaluator, about, history = kind.train(
            settings, features, TextCache(text), checkpoint, chosen, seed
        )
    about["provenance"] = provenance(settings, seed=seed, device=str(chosen))
    write_table(out.with_name("history.parquet"), history, about)
    save_evaluator(out, evaluator, about)
    checkpoint.unlink(missing_ok=True)
