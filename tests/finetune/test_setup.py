"""`finetune` from files to files, on a tiny MDM and a tiny reward with random weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from motionrft.backbones import lora
from motionrft.backbones.io import load_backbone, save_backbone
from motionrft.configuration import available, load_run, part
from motionrft.errors import InputError
from motionrft.files import read_json, read_table
from motionrft.finetune.loop import Training
from motionrft.finetune.memory_choice import GIB, SHARE
from motionrft.finetune.setup import prepare_sampling
from motionrft.metrics.training_record import wide
from motionrft.text.features import TextCache
from tests.finetune.tiny_cell import STAGES, files, finetune, goes_with_mdm, prepared

__all__ = ["files"]


def trains_mdm(method: str) -> bool:
    """Whether the method learns weights of MDM, without an evaluator that ranks."""
    entry = part("methods", method, "")
    learns = entry.get("training", True) and goes_with_mdm(method)
    return learns and "retrieval_rank" not in entry.get("values", {})


@pytest.mark.parametrize("method", list(filter(trains_mdm, available("methods"))))
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
    assert finetune(files, tmp_path, "ddpo", "finetune.batch_size=4", reward=("semantic",)) == 2
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
