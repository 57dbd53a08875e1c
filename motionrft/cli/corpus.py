"""The corpus: clips of any source packed into one store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from motionrft.cli.app import app
from motionrft.cli.options import RunFile
from motionrft.loading import loading

if TYPE_CHECKING:
    import pandas as pd


@app.command
def corpus(
    *,
    run: RunFile = RunFile(),
    out: Path | None = None,
    enough: bool = False,
    check: Path | None = None,
) -> None:
    """Pack the clips, captions and splits of a source into one store.

    For example:
        python -m motionrft corpus --config config/toy.yaml \\
            --out results/toy/corpus
        python -m motionrft corpus --config config/mocap.yaml \\
            --set corpus.mocap_dir=/data/bvh --out results/mocap/corpus
        python -m motionrft corpus --check /data/bvh

    Parameters
    ----------
    out
        Folder to write.
    check
        Instead print what this folder holds: joints, map, scale, up axis, frame rates, clips and minutes by split and
        whether they are enough for a run, captions without file and files without caption.
    enough
        Refuse a corpus whose splits cannot fill a group of the run's evaluation, instead of noting it.
    """
    with loading():
        from motionrft.configuration import apply_set, read_yaml
        from motionrft.corpus.kinds import facts, source
        from motionrft.corpus.report import Report
        from motionrft.corpus.splits import too_few
        from motionrft.corpus.store import write_corpus
        from motionrft.corpus.survey import survey
        from motionrft.errors import InputError
        from motionrft.files import provenance

    if check is not None:
        from motionrft.evaluation.settings import validation_rules

        given = apply_set(read_yaml(run.config), run.changes)
        rules = validation_rules(given.get("evaluate", {}))
        section, where = given.get("corpus", {}), str(run.config)
        print(*survey(check, section, where, rules.min_frames, rules.group), sep="\n")
        return
    if out is None:
        raise InputError(
            "no folder to write", where="--out", fix="add --out FOLDER, or --check FOLDER"
        )
    complete = run.load()
    settings, evaluate = complete["corpus"], complete["evaluate"]
    clips, fps = source(settings["kind"])
    where = str(run.config)
    report = Report(fatal=settings.get("on_error") == "fail")
    about = {
        "corpus": settings,
        "skipped": report.skipped,
        "remarks": report.remarks,
        "seen": report.seen,
        "provenance": provenance(settings, seed=settings.get("seed")),
    }

    def enough_clips(clips: pd.DataFrame) -> None:
        problem = too_few(clips, evaluate["min_frames"], evaluate["group"], where)
        if problem and enough:
            raise problem
        if problem:
            report.remark(str(problem))

    write_corpus(
        out,
        clips(settings, where, report),
        about,
        fps=fps,
        facts=facts(settings["kind"], settings, where),
        report=report,
        enough=enough_clips,
    )
    report.summary()
