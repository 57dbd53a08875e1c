"""`base: toy` in a run file: what another run has made of the same settings is taken from it.

An artefact is taken where the job that makes it has equal settings in both runs, reads the same files, and all of these
that the run makes are taken too. The other run must be finished: its configuration then says how everything in it was
made. What is taken are links, so that the run's folder is whole to whoever reads it; they need the other run's folder.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from motionrft.configuration.files import read_yaml
from motionrft.configuration.outside import State, state
from motionrft.errors import InputError
from motionrft.workflow_plan import Plan

FEATURES = "features/stats.safetensors"
CORPUS = ("corpus/corpus.json", "corpus/clips.parquet", "corpus/motions.npy")
RUNS = Path("results")  # every run has a folder there
SCORES = ("replications.parquet", "per_prompt.parquet", "samples.safetensors")
TUNED = ("model.safetensors", "record.parquet", "cost.json")


@dataclass(frozen=True)
class Made:
    """A job as its rule has it: paths are relative to the run's folder, those outside of it absolute.

    settings: whatever of the run it depends on. folder: its outputs are all of their folder. beside: what it may write
    beside its outputs.
    """

    rule: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    settings: Any = ""
    folder: bool = False
    beside: tuple[str, ...] = ()


def jobs(plan: Plan) -> list[Made]:
    """Every job of a run whose result may be shared, each after those that it reads from."""
    parts = (_data(plan), _backbones(plan), _reward(plan), _finetuned(plan), _scores(plan))
    return [job for part in parts for job in part]


def _data(plan: Plan) -> Iterator[Made]:
    corpus = plan.settings_of("corpus")
    yield Made("corpus", CORPUS, (), corpus, folder=True)
    yield Made("features", ("features/clips.parquet", FEATURES), CORPUS, corpus, folder=True)
    for name in plan.encoders:
        wildcards = SimpleNamespace(encoder=name)
        settings, made = plan.encoder_settings(wildcards), _own(plan, plan.synthetic_encoder(wildcards))  # fmt: skip
        if made:
            yield Made("text_encoder", made, CORPUS[:1], settings)
        yield Made("text", _own(plan, [plan.text_file(name)]), (*CORPUS[:1], *made), settings)
    text = _own(plan, plan.text_of_evaluator())
    settings = plan.evaluator_settings()
    model, history = "evaluator/model.safetensors", "evaluator/history.parquet"
    yield Made("train_evaluator", (model,), (FEATURES, *text), settings, beside=(history,))
    [judge] = _own(plan, [plan.judge])
    if plan.cells and judge.startswith("judge/"):
        text = _own(plan, plan.text_of_judge())
        read, settings = (FEATURES, *text), plan.settings_of("evaluator")
        yield Made("train_judge", (judge,), read, settings, beside=("judge/history.parquet",))


def _backbones(plan: Plan) -> Iterator[Made]:
    for name in dict.fromkeys(plan.weights_of.values()):
        official = name in plan.official
        checkpoint = plan.run["backbones"][name]["checkpoint"] if official else None
        pairs = [
            (stage, seed) for seed in (0, *plan.more_bases(name)) for stage in plan.stages(name)
        ]
        for stage, seed in pairs:
            wildcards = _Wildcards(backbone=name, stage=stage, seed=seed)
            read_by = plan.text_of_import if official else plan.text_of_stage
            text = _own(plan, read_by(wildcards))
            [model] = _own(plan, [plan.stage_file(name, stage, seed)])
            if official:
                read = (str(checkpoint), FEATURES, *text)
                made = [plan.import_settings(wildcards), state(Path(str(checkpoint)))]
                yield Made("import_backbone", (model,), read, made)
                continue
            read = (FEATURES, *text, *_own(plan, plan.start_of_stage(wildcards)))
            outputs = (model, _history(model))
            rule = "pretrain_again" if seed else "pretrain"
            yield Made(rule, outputs, read, [plan.pretraining_settings(wildcards), seed])


def _reward(plan: Plan) -> Iterator[Made]:
    text = _own(plan, [plan.text_file(plan.run["reward"]["text"])])
    for path in _own(plan, plan.samples()):
        wildcards = SimpleNamespace(backbone=Path(path).parent.name)
        files = [plan.base_model(wildcards.backbone), plan.text_of_backbone(wildcards)]
        sampling = [plan.sampling_settings(wildcards), plan.prompts()]
        yield Made("sample", (path,), (FEATURES, *_own(plan, files)), sampling)
    for stage in plan.judged_stages:
        given = plan.given_data(stage)
        samples = plan.samples_of_data(SimpleNamespace(stage=stage))
        read = (FEATURES, *_own(plan, samples), *given)
        yield Made("reward_data", (f"reward/data/{stage}",), read, plan.reward_data_settings(stage))
    for stage in plan.scored_stages:
        if stage in plan.imported_stages:
            wildcards = SimpleNamespace(stage=stage)
            released = plan.reward_checkpoint(wildcards)
            begins = (*released, *_own(plan, plan.start_of_reward_stage(wildcards)))
            imported = plan.reward_import_settings(wildcards)
            yield Made("import_reward", (f"reward/{stage}.safetensors",), begins, imported)
            continue
        read = (FEATURES, *text, *_stands_on(plan, stage))
        trained, model = plan.reward_settings(stage), f"reward/{stage}.safetensors"
        yield Made("train_reward", (model,), read, trained, beside=(_history(model),))
    rewards = [plan.reward_file(stage) for stage in plan.scored_stages]
    scored = _own(plan, [*rewards, *plan.judged_data(plan.scored_stages)])
    reward = {**plan.run["reward"], "stages": None}
    read = (*scored, FEATURES, *text, "evaluator/model.safetensors")
    beside = ("reward/scores.calibration.parquet", "reward/scores.faithfulness.parquet")
    yield Made("evaluate_reward", ("reward/scores.parquet",), read, reward, beside=beside)
    for switch, stage in plan.switched_stages():
        path = f"reward/switches/{switch}/{stage}"
        read = (FEATURES, *text, *_stands_on(plan, stage))
        trained = plan.reward_settings(stage)
        model = f"{path}.safetensors"
        yield Made("train_reward_switched", (model,), read, trained, beside=(_history(model),))
    for path in _own(plan, plan.switched_scores()):
        stage = Path(path).name.partition(".")[0]
        model = path.rsplit(".", 2)[0] + ".safetensors"
        read = (model, *_stands_on(plan, stage), FEATURES, *text)
        yield Made("evaluate_reward_switched", (path,), read, reward)


def _stands_on(plan: Plan, stage: str) -> tuple[str, ...]:
    """What a stage of the reward starts from and learns from."""
    wildcards = SimpleNamespace(stage=stage)
    start, data = plan.start_of_reward_stage(wildcards), plan.data_of_reward_stage(wildcards)
    return _own(plan, [*start, *data])


def _finetuned(plan: Plan) -> Iterator[Made]:
    cells = [SimpleNamespace(backbone=b, method=m, seed=s) for b, m, s in plan.cells]
    trained = [SimpleNamespace(backbone=b, method=m, seed=s) for b, m, s in plan.trained_cells]
    judge = _own(plan, [plan.judge, *plan.text_of_judge()])
    pairs = {(cell.backbone, cell.method): cell for cell in trained} if "tune" in plan.run else {}
    for cell in pairs.values():
        pair = SimpleNamespace(**{**vars(cell), "seed": 0})
        [tuned] = _own(plan, plan.tuned(pair))
        rates = [plan.finetuning_settings(pair), plan.run["tune"]]
        yield Made("tune", (tuned,), (*_tuned_from(plan, pair), *judge), rates)
    for cell in trained:
        folder = f"finetune/{cell.backbone}/{cell.method}/seed{cell.seed}"
        outputs = tuple(f"{folder}/{name}" for name in TUNED)
        read = (*_tuned_from(plan, cell), *judge, *_own(plan, plan.tuned(cell)))
        yield Made("finetune", outputs, read, plan.finetuning_settings(cell))
    for path in _own(plan, plan.analyses()):
        name = Path(path).stem
        cell = next(cell for cell in cells if f"{cell.backbone}-{cell.method}" == name)
        cell = SimpleNamespace(**{**vars(cell), "seed": 0})
        analysed = [plan.finetuning_settings(cell), plan.run["analyse"]["rows"]]
        yield Made("analyse", (path,), _tuned_from(plan, cell), analysed)


def _tuned_from(plan: Plan, cell: SimpleNamespace) -> tuple[str, ...]:
    base, text = plan.base_model(cell.backbone, cell.seed), plan.text_of_backbone(cell)
    reward = [*plan.reward_files(cell), plan.text_file(plan.run["reward"]["text"])]
    return _own(plan, [base, text, *reward, f"{plan.results}/{FEATURES}"])


def _scores(plan: Plan) -> Iterator[Made]:
    text = _own(plan, plan.text_of_evaluator())
    read = ("evaluator/model.safetensors", *text, FEATURES)
    outputs = tuple(f"evaluate/real/base/seed0/{name}" for name in SCORES)
    yield Made("evaluate_real", outputs, read, plan.settings_of("evaluate"))
    for path in _own(plan, plan.evaluations()):
        _, backbone, method, seed, _ = path.split("/")
        cell = SimpleNamespace(backbone=backbone, method=method, seed=seed.removeprefix("seed"))
        steering = [] if method == "base" else plan.steering_reward(cell)
        files = [plan.scored_model(cell), *plan.base_of_scored(cell), plan.text_of_backbone(cell)]
        files += steering
        model = _own(plan, files)
        outputs = tuple(f"{Path(path).parent}/{name}" for name in SCORES)
        yield Made("evaluate", outputs, (*model, *read), plan.evaluation_settings(cell))


class _Wildcards(SimpleNamespace):
    """As Snakemake's: attributes, and `get`."""

    def get(self, name: str, default: Any = None) -> Any:
        return getattr(self, name, default)


def _history(model: str) -> str:
    """What training of a stage writes beside it."""
    return f"{model.removesuffix('.safetensors')}.history.parquet"


def _own(plan: Plan, paths: Sequence[str]) -> tuple[str, ...]:
    return tuple(path.removeprefix(f"{plan.results}/") for path in paths)


# from another run


def base_plan(run: dict[str, Any], runs: Path = RUNS) -> Plan | None:
    """The plan of the run that `base` names, as it was made; None without one. It must be finished.

    runs: the folder of the runs' folders.
    """
    if "base" not in run:
        return None
    name = run["base"]
    folder, where = runs / name, "run"
    if name == run["name"]:
        raise InputError("the run itself", where=where, field="base", fix="name another run")
    config, report = folder / "config.yaml", folder / "report.html"
    if not config.is_file() or not report.is_file():
        problem, fix = f"{folder} is no finished run", f"run {name} first, here"
        raise InputError(problem, where=where, field="base", fix=fix)
    if config.stat().st_mtime > report.stat().st_mtime:
        raise InputError(
            f"{folder} was planned anew and has not finished since",
            where=where, field="base", fix=f"run {name} to its end",
        )  # fmt: skip
    return Plan(read_yaml(config))


def taken(plan: Plan, base: Plan | None, runs: Path = RUNS) -> list[Made]:
    """The jobs of the run whose outputs are taken from `base`, in order; none without one. runs: as in base_plan."""
    if base is None:
        return []
    try:
        theirs = {job.outputs: job for job in jobs(base)}
    except KeyError as key:  # its configuration was complete, to the version that resolved it
        raise InputError(
            f"{base.results} was made by another version: its configuration has no {key}",
            where="run", field="base", fix=f"run {plan.run['base']} again, or leave base out",
        ) from key  # fmt: skip
    own = jobs(plan)
    made_here = {output for job in own for output in job.outputs}
    found: set[str] = set()
    shared = []
    for job in own:
        same = theirs.get(job.outputs) == job
        whole = all((runs / base.run["name"] / output).exists() for output in job.outputs)
        if same and whole and all(name in found or name not in made_here for name in job.inputs):
            shared.append(job)
            found |= set(job.outputs)
    return shared


def told(plan: Plan, base: Plan, shared: Sequence[Made]) -> str:
    """For whoever plans the run: how much its base gives, or why it gives nothing."""
    own = jobs(plan)
    if shared:
        return f"base: {len(shared)} of {len(own)} jobs are taken from {base.results}"
    here, there = plan.run["corpus"], base.run["corpus"]
    keys = [key for key in {**here, **there} if here.get(key) != there.get(key)]
    why = [f"corpus.{key} is {here.get(key)} here, {there.get(key)} there" for key in keys]
    reason = "; ".join(why) or f"its files are not in {base.results}"
    return f"base: nothing is taken from {base.results}: {reason}"


def job_counts(plan: Plan, runs: Path = RUNS) -> dict[str, int]:
    """Jobs of the whole run by rule, less those whose outputs are taken. runs: as in base_plan."""
    shared = Counter(job.rule for job in taken(plan, base_plan(plan.run, runs), runs))
    counts = {rule: number - shared[rule] for rule, number in plan.job_counts().items()}
    return {rule: number for rule, number in counts.items() if number}


def states(plan: Plan, shared: Sequence[Made]) -> dict[str, State]:
    """Sizes and dates of what is taken: links are made anew when these change."""
    base = RUNS / plan.run.get("base", "")
    return {output: state(base / output) for job in shared for output in job.outputs}


def take(plan: Plan) -> int:
    """Links everything that is taken into the run's folder, in place of what is there. Returns the number of files."""
    base, own = RUNS / plan.run["base"], Path(plan.results)
    count = 0
    for job in taken(plan, base_plan(plan.run)):
        names = {str(Path(job.outputs[0]).parent)} if job.folder else {*job.outputs, *job.beside}
        for name in sorted(names):
            if name in job.beside and not (base / name).exists():
                (own / name).unlink(missing_ok=True)  # of a job that was run here before
                continue
            if (base / name).is_dir():
                (own / name).mkdir(parents=True, exist_ok=True)
            for source in _files(base / name):
                link(source, own / source.relative_to(base))
                count += 1
    return count


def _files(path: Path) -> list[Path]:
    """The file itself, or all files below the folder but Snakemake's own."""
    if not path.is_dir():
        return [path]
    return [file for file in sorted(path.rglob("*")) if file.is_file() and file.name != ".snakemake_timestamp"]  # fmt: skip


def link(source: Path, place: Path) -> None:
    """A relative link at `place`, put there at once."""
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f".{place.name}.link")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(os.path.relpath(source, place.parent))
    temporary.replace(place)
