"""`finetune` from files to files, on a tiny MDM and a tiny reward with random weights."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from motionrft.backbones import lora
from motionrft.backbones.io import build_backbone, load_backbone, save_backbone
from motionrft.cli import main
from motionrft.configuration import available, load_run, part
from motionrft.corpus.store import FeatureStore
from motionrft.errors import InputError
from motionrft.files import read_json, read_table
from motionrft.finetune.loop import Training
from motionrft.finetune.memory_choice import GIB, SHARE
from motionrft.finetune.prompt_data import Sources
from motionrft.finetune.reward_hacking import INDEPENDENT
from motionrft.finetune.setup import prepare, prepare_sampling
from motionrft.metrics.training_record import wide
from motionrft.reward.files import save_branch, save_network
from motionrft.reward.lora import LoraSettings
from motionrft.reward.network import NetworkSettings, RewardNetwork
from motionrft.reward.stages import load
from motionrft.text.features import TextCache
from tests.evaluation.small_corpus import write_store, write_text

STAGES = ("semantic", "preference", "authenticity", "spl")
NETWORK = {"latent_dim": 16, "ff_size": 16, "layers": 1, "heads": 2}
REWARD = {
    "latent_dim": 8,
    "unified_dim": 8,
    "layers": 1,
    "heads": 2,
    "feedforward": 8,
    "text_layers": 1,
    "text_heads": 2,
    "text_feedforward": 8,
    "projection_hidden": 8,
    "projection_layers": 1,
    "dropout": 0.0,
    "patch": 4,
}


def goes_with_mdm(method: str) -> bool:
    """Whether the method is defined on an ancestral sampler."""
    return "ddpm" in part("methods", method, "").get("needs", {}).get("samplers", ["ddpm"])


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """features/, text.safetensors, mdm.safetensors, reward stages and a run file, in one folder."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    store, text = (
        write_store(folder / "features"),
        write_text(folder / "text.safetensors"),
    )
    run = {
        "name": "tiny",
        "corpus": {"kind": "toy", "seed": 0},
        "backbones": ["mdm"],
        "methods": [name for name in available("methods") if goes_with_mdm(name)],
        "finetune": {
            "updates": 4,
            "batch_size": 4,
            "validate_every": 2,
            "validate_prompts": 4,
            "lr": 0.001,
            "select": "last",  # no judge here
            "select_by": "reward",
            "reward_ceiling": 0,
        },
        "override": {"backbones": {"mdm": {"network": NETWORK}}},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(run))
    settings = load_run(folder / "run.yaml")["backbones"]["mdm"]
    widths = {"pooled": text.pooled_dim, "tokens": text.token_dim}
    features = FeatureStore(store)
    backbone = build_backbone(
        settings, dim=263, text=widths, normaliser=features.normaliser("kinematic")
    )
    save_backbone(
        folder / "mdm.safetensors", backbone, {"backbone": settings, "dim": 263, "text": widths}
    )
    network = RewardNetwork(
        NetworkSettings.read(
            REWARD, {"kinematic": 263, "joint": 66, "rotation": 135}, text.token_dim
        )
    )
    about = {"noise": {"max_t": 500}, "official": {"no_clean_token": False}}
    save_network(folder / "semantic.safetensors", network, about)
    refined = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in refined.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    save_network(folder / "spl.safetensors", refined, {**about, "stage": "spl"})
    for task in ("preference", "authenticity"):
        branch = load(task).new_branch(network, LoraSettings(rank=2, alpha=4))
        save_branch(folder / f"{task}.safetensors", branch, {})
    return folder


def finetune(
    files: Path,
    out: Path,
    method: str,
    *changes: str,
    reward=("semantic", "preference", "authenticity"),
    base: Path | None = None,
) -> int:
    words = [
        "finetune",
        "--config",
        str(files / "run.yaml"),
        "--backbone",
        "mdm",
        "--method",
        method,
    ]
    for change in changes:
        words += ["--set", change]
    words += [
        "--base",
        str(base or files / "mdm.safetensors"),
        "--features",
        str(files / "features"),
    ]
    words += ["--text", str(files / "text.safetensors"), "--out", str(out), "--device", "cpu"]
    return main([*words, "--reward", *(str(files / f"{stage}.safetensors") for stage in reward)])


def prepared(files: Path, method: str, *changes: str):
    run = load_run(files / "run.yaml", list(changes))
    rewards = [files / f"{stage}.safetensors" for stage in STAGES]
    sources = Sources(
        files / "mdm.safetensors", rewards, files / "features", files / "text.safetensors"
    )
    return prepare(run, "mdm", method, 0, sources, torch.device("cpu"))


def trains_mdm(method: str) -> bool:
    """Whether the method learns weights of MDM, without an evaluator that ranks."""
    entry = part("methods", method, "")
    learns = entry.get("training", True) and goes_with_mdm(method)
    return learns and "retrieval_rank" not in entry.get("values", {})


@pytest.mark.parametrize("method", filter(trains_mdm, available("methods")))
def test_every_row_trains_the_denoiser_and_nothing_else(files, tmp_path, method):
    job = prepared(
        files, method, "finetune.validate_every=0", "finetune.updates=2", "finetune.batch_size=8"
    )
    before = {name: tensor.clone() for name, tensor in job.backbone.state_dict().items()}
    record = Training(job, tmp_path / "checkpoint").run()
    assert list(wide(record)["update"]) == [1, 2]
    wanted = (
        {"semantic", "m2m", "preference", "authenticity"} if method == "motionrft" else {"semantic"}
    )
    if method == "pretraining":  # asks no reward
        wanted = set()
    wanted |= set(load_run(files / "run.yaml")["methods"][method].get("values", {}))
    names = {name.split("/")[1] for name in record["name"] if name.startswith("reward/")}
    assert names == wanted
    assert any(
        not torch.equal(before[name], tensor) for name, tensor in job.backbone.state_dict().items()
    )
    reward = getattr(job.reward, "trained", job.reward)
    assert not any(
        parameter.requires_grad or parameter.grad is not None for parameter in reward.parameters()
    )
    assert not reward.network.training
    assert not job.backbone.training
    assert all(parameter.grad is None for parameter in job.backbone.parameters())


@pytest.mark.parametrize("method", ["easytune", "draft-10"])
def test_a_limit_of_memory_changes_the_form_and_not_the_update(files, tmp_path, method):
    ends = []
    few = ("finetune.validate_every=0", "finetune.updates=2", "finetune.batch_size=4")
    job = prepared(files, method, *few, "finetune.memory_gib=1")
    start = flat(job)
    whole = Training(job, tmp_path / "whole").plan
    assert (whole.activations, whole.slices, whole.micro_batch) == ("plain", 1, 4)
    stays = 1.0 - whole.free_bytes / SHARE / GIB
    for share in (1.1, 0.6):
        limit = stays + share * whole.plain_bytes / SHARE / GIB
        changes = (f"finetune.memory_gib={limit}", "finetune.optimizer=sgd")
        job = prepared(files, method, *few, *changes)
        training = Training(job, tmp_path / str(limit))
        training.run()
        ends.append(flat(job))
    assert training.plan.fits
    assert training.plan.activations == "exact"
    assert (ends[0] - start).norm() > 0
    assert (ends[1] - ends[0]).norm() < 1e-3 * (ends[0] - start).norm()


def flat(job) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in job.trained])


def test_from_files_to_files(files, tmp_path):
    assert finetune(files, tmp_path, "motionrft") == 0
    found = sorted(path.name for path in tmp_path.iterdir())
    assert found == ["cost.json", "model.safetensors", "record.parquet"]
    record, about = read_table(tmp_path / "record.parquet")
    table = wide(record)
    assert list(table["update"]) == [0, 1, 2, 3, 4]
    assert table["val/reward"].notna().tolist() == [True, False, True, False, True]
    assert {"val/m2m", "val/preference", "val/authenticity", "reward"} <= set(table)
    cost = read_json(tmp_path / "cost.json")
    assert cost["updates"] == 4
    assert cost["extra_mb"] > 0
    assert cost["flags"] == []
    assert cost["method"]["steps"] == 10
    assert about["finetune"]["method"]["name"] == "motionrft"
    base, _ = load_backbone(files / "mdm.safetensors")
    tuned, _ = load_backbone(tmp_path / "model.safetensors")
    assert any(
        not torch.equal(a, b) for a, b in zip(base.parameters(), tuned.parameters(), strict=True)
    )
    assert torch.equal(base.normaliser.mean, tuned.normaliser.mean)


def test_all_rows_start_from_the_same_judgement_and_repeat_themselves(files, tmp_path):
    firsts, ends = [], []
    for number, method in enumerate(("easytune", "draft-10", "draft-10")):
        job = prepared(files, method, "finetune.updates=2")
        record = Training(job, tmp_path / str(number)).run()
        first = record[(record["update"] == 0) & record["name"].str.startswith("val/")]
        firsts.append(first["value"].tolist())
        ends.append(torch.cat([parameter.flatten() for parameter in job.trained]))
    assert firsts[0] == firsts[1] == firsts[2]
    assert torch.equal(ends[1], ends[2])
    assert not torch.equal(ends[0], ends[1])


def test_the_self_refined_reward_trains_and_the_common_one_validates(files, tmp_path, capsys):
    first = {}
    for method in ("easytune", "easytune-spl"):
        job = prepared(files, method, "finetune.updates=1")
        record = wide(Training(job, tmp_path / method).run())
        first[method] = record["val/reward"][0], record["reward/semantic"][1]
    assert first["easytune"][0] == first["easytune-spl"][0]
    assert first["easytune"][1] != first["easytune-spl"][1]
    assert finetune(files, tmp_path, "easytune-spl", reward=("semantic",)) == 2
    assert "spl.safetensors" in capsys.readouterr().err
    weighed = 'override={"methods": {"easytune-spl": {"reward_weights": {"preference": 0.1}}}}'
    assert finetune(files, tmp_path, "easytune-spl", weighed, reward=STAGES) == 2
    assert "reward_weights.preference" in capsys.readouterr().err


def test_a_lora_run_keeps_its_adapters_and_loads_with_its_base(files, tmp_path, monkeypatch):
    changes = ("finetune.tune=lora", "finetune.lora={rank: 2, alpha: 4}")
    ended = []
    write = lora.save_adapters
    monkeypatch.setattr(
        lora, "save_adapters", lambda *args: (ended.append(lora.merged(args[1])), write(*args))
    )
    base_file = shutil.copy(files / "mdm.safetensors", tmp_path / "base.safetensors")
    out = tmp_path / "cell"
    assert finetune(files, out, "easytune", *changes, base=Path(base_file)) == 0
    assert not (out / "adapters.safetensors").exists()
    assert (out / "model.safetensors").stat().st_size < Path(base_file).stat().st_size / 3
    base, _ = load_backbone(base_file)
    tuned, about = load_backbone(out / "model.safetensors")
    assert about["finetune"]["method"]["name"] == "easytune"
    changed = {n for n, p in tuned.named_parameters() if not torch.equal(p, base.get_parameter(n))}
    assert changed
    assert all(tuned.get_parameter(name).dim() == 2 for name in changed)
    for name, tensor in ended[0].state_dict().items():
        assert torch.equal(tensor, tuned.state_dict()[name])
    assert torch.equal(base.normaliser.mean, tuned.normaliser.mean)
    save_backbone(tmp_path / "whole.safetensors", tuned, about)
    again, _ = load_backbone(tmp_path / "whole.safetensors")
    assert all(map(torch.equal, again.parameters(), tuned.parameters()))
    save_backbone(base_file, tuned, load_backbone(files / "mdm.safetensors")[1])
    with pytest.raises(InputError, match="has changed"):
        load_backbone(out / "model.safetensors")
    Path(base_file).unlink()
    with pytest.raises(InputError, match="absent"):
        load_backbone(out / "model.safetensors")


def test_official_switches_change_the_result_or_the_memory(files, tmp_path):
    def run(number: int, *changes: str):
        few = ("finetune.validate_every=0", "finetune.updates=2", "finetune.batch_size=2")
        job = prepared(files, "easytune", *few, *changes)
        record = Training(job, tmp_path / str(number)).run()
        return torch.cat([p.flatten() for p in job.trained]), record[
            record["name"] == "peak_bytes"
        ]["value"].max()

    plain, memory = run(0)
    for number, switch in enumerate(("levels=official", "sampled=true", "precision=bf16"), start=1):
        assert not torch.equal(run(number, f"finetune.{switch}")[0], plain)
    assert run(9, "finetune.reward_state=official")[1] > memory


def test_the_judge_watches_the_validation_split(files, tmp_path):
    from motionrft.cli.finetune import JudgeFiles, judge_factory
    from motionrft.cli.options import CellFiles
    from motionrft.evaluation.evaluator_file import save_evaluator
    from motionrft.evaluation.evaluators.t2m.training import train_evaluator
    from motionrft.text.features import TextCache

    widths = ("movement_hidden", "movement", "motion_hidden", "text_hidden", "embedding")
    settings = {
        "loss": "infonce",
        "margin": 10.0,
        "min_frames": 20,
        "widths": dict.fromkeys(widths, 8),
        "train": {"steps": 2, "batch_size": 8},
    }
    evaluator, about, _ = train_evaluator(
        settings,
        files / "features",
        TextCache(files / "text.safetensors"),
        tmp_path / "checkpoint",
        "cpu",
    )
    save_evaluator(tmp_path / "evaluator.safetensors", evaluator, about)
    cell = CellFiles(
        base=files / "mdm.safetensors",
        reward=[],
        features=files / "features",
        text=files / "text.safetensors",
    )
    judge = JudgeFiles(evaluator=tmp_path / "evaluator.safetensors")
    sampler = load_run(files / "run.yaml")["backbones"]["mdm"]["sampler"]
    backbone, _ = load_backbone(files / "mdm.safetensors")
    # nothing is opened before a validation asks for it
    absent = JudgeFiles(evaluator=tmp_path / "absent.safetensors")
    assert judge_factory(cell, absent, "mdm", sampler, torch.device("cpu"), "val") is not None
    judge_of = judge_factory(cell, judge, "mdm", sampler, torch.device("cpu"), "val")
    numbers = judge_of(backbone)()
    assert set(INDEPENDENT) <= set(numbers)


def test_tuning_judges_a_cell_as_its_fine_tuning_does(files, tmp_path, monkeypatch):
    """On the split of its validations, in the space that its method ranks by: both from one place."""
    import motionrft.cli.finetune as command

    splits, ranked = [], []

    def points(raw, lengths, captions):
        ranked.append(len(raw))
        return torch.zeros(len(raw), 2), torch.zeros(len(raw), 2)

    monkeypatch.setattr(command, "judge_factory", lambda *given: splits.append(given[-1]))
    monkeypatch.setattr(command, "evaluator_points", lambda *given: lambda backbone: points)
    words = [
        *(
            "tune",
            "--config",
            str(files / "run.yaml"),
            "--backbone",
            "mdm",
            "--method",
            "ddpo-rank",
        ),
        *("--set", "finetune.validate_split=test", "--set", "finetune.batch_size=8"),
        *("--set", "finetune.updates=1", "--set", "finetune.validate_every=1", "--device", "cpu"),
        *("--base", str(files / "mdm.safetensors"), "--features", str(files / "features")),
        *(
            "--text",
            str(files / "text.safetensors"),
            "--reward",
            str(files / "semantic.safetensors"),
        ),
    ]
    assert main([*words, "--rates", "1e-3", "--out", str(tmp_path / "tune.json")]) == 0
    assert splits == ["test"]
    assert ranked


def test_an_evaluator_with_words_of_its_own_serves_methods_that_do_not_rank(files, tmp_path):
    """It is opened where a value asks for its space, and not before."""
    from motionrft.cli.finetune import JudgeFiles, evaluator_points
    from motionrft.cli.options import CellFiles

    cell = CellFiles(base=tmp_path, reward=[], features=files / "features", text=tmp_path)
    of = evaluator_points(cell, JudgeFiles(evaluator=tmp_path / "none.safetensors"), torch.device("cpu"))  # fmt: skip
    run = load_run(files / "run.yaml")
    sources = Sources(
        files / "mdm.safetensors",
        [files / "semantic.safetensors"],
        files / "features",
        files / "text.safetensors",
    )
    rest = (0, sources, torch.device("cpu"), None, of)
    run["finetune"] |= {"batch_size": 8}
    assert prepare(run, "mdm", "ddpo-skating", *rest).method.group == 8
    with pytest.raises(InputError, match="no such file"):
        prepare(run, "mdm", "ddpo-rank", *rest)


def test_best_of_one_generates_what_the_base_model_does(files):
    """Through the files and the run, bit for bit; best-of-4 has the same first candidates and other picks."""
    from motionrft.backbones.generate import generate, generate_with

    changes = ["override.methods.best-of-4.options.n=1"]
    text = TextCache(files / "text.safetensors")
    captions = [caption for caption in text.captions if caption][:3]
    draws = (captions, torch.tensor([40, 36, 44]), [1, 2, 3])
    made = {}
    for name, some in (("one", changes), ("four", [])):
        run = load_run(files / "run.yaml", some)
        backbone, _ = load_backbone(files / "mdm.safetensors")
        drawn = prepare_sampling(
            run, "mdm", "best-of-4", backbone, [files / "semantic.safetensors"], text
        )
        made[name] = generate_with(drawn, backbone, *draws, text)
    plain = generate(backbone, run["backbones"]["mdm"]["sampler"], *draws, text)
    for one, four, own in zip(made["one"], made["four"], plain, strict=True):
        assert torch.equal(one, own)
        assert one.shape == four.shape
    assert any(not torch.equal(a, b) for a, b in zip(made["one"], made["four"], strict=True))


def test_mistakes_are_one_clear_line(files, tmp_path, capsys):
    assert finetune(files, tmp_path, "motionrft", reward=("semantic",)) == 2
    assert "reward_weights" in capsys.readouterr().err
    assert finetune(files, tmp_path, "easytune", reward=("preference",)) == 2
    assert "semantic" in capsys.readouterr().err
    assert finetune(files, tmp_path, "best-of-4", reward=("semantic",)) == 2
    assert "motionrft evaluate --method best-of-4" in capsys.readouterr().err
    assert finetune(files, tmp_path, "ddpo", reward=("semantic",)) == 2
    assert "no whole groups of 8" in capsys.readouterr().err
    slides = "override.methods.easytune.values={foot_skating: 1}"
    assert finetune(files, tmp_path, "easytune", slides, reward=("semantic",)) == 2
    assert "needs the reward's gradient" in capsys.readouterr().err
    assert finetune(files, tmp_path, "easytune", "finetune.trajectories=3") == 2
    assert "exactly one" in capsys.readouterr().err
    assert finetune(files, tmp_path, "easytune", "finetune.learning_rate=3") == 2
    assert "learning_rate" in capsys.readouterr().err
    assert finetune(files, tmp_path, "easytune", "override.backbones.mdm.reward_form=one_step") == 2
    assert "SDE" in capsys.readouterr().err
    assert finetune(files, tmp_path, "nothing") == 2
    assert "nothing" in capsys.readouterr().err
