"""`finetune` from files to files, on a tiny MDM and a tiny reward with random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from motionrft.artefacts import read_json, read_table
from motionrft.backbones.assemble import build_backbone, load_backbone, save_backbone
from motionrft.cli import main
from motionrft.config import available
from motionrft.corpus.store import FeatureStore
from motionrft.finetune.cost import wide
from motionrft.reward.adapters import LoraSettings
from motionrft.reward.files import new_branch, save_branch, save_network
from motionrft.reward.network import NetworkSettings, RewardNetwork
from tests.evaluation.small_corpus import write_store, write_text

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
        "methods": "all",
        "finetune": {
            "updates": 4,
            "batch_size": 4,
            "validate_every": 2,
            "validate_prompts": 4,
            "lr": 0.001,
        },
        "override": {"backbones": {"mdm": {"network": NETWORK}}},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(run))
    from motionrft.config import load_run

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
    for task in ("preference", "authenticity"):
        branch = new_branch(network, task, LoraSettings(rank=2, alpha=4))
        save_branch(folder / f"{task}.safetensors", branch, {})
    return folder


def finetune(
    files: Path,
    out: Path,
    method: str,
    *changes: str,
    reward=("semantic", "preference", "authenticity"),
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
    words += ["--base", str(files / "mdm.safetensors"), "--features", str(files / "features")]
    words += ["--text", str(files / "text.safetensors"), "--out", str(out), "--device", "cpu"]
    return main([*words, "--reward", *(str(files / f"{stage}.safetensors") for stage in reward)])


@pytest.mark.parametrize("method", available("methods"))
def test_every_row_runs_from_files_to_files(files, tmp_path, method):
    assert finetune(files, tmp_path, method) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cost.json",
        "model.safetensors",
        "record.parquet",
    ]
    record, about = read_table(tmp_path / "record.parquet")
    table = wide(record)
    assert list(table["update"]) == [0, 1, 2, 3, 4]
    assert table["val/reward"].notna().tolist() == [True, False, True, False, True]
    wanted = (
        {"semantic", "m2m", "preference", "authenticity"} if method == "motionrft" else {"semantic"}
    )
    assert {name.split("/")[1] for name in table if name.startswith("reward/")} == wanted
    assert {"val/m2m", "val/preference", "val/authenticity"} <= set(table)
    cost = read_json(tmp_path / "cost.json")
    assert cost["updates"] == 4
    assert cost["extra_mb"] > 0
    assert cost["flags"] == []
    assert cost["method"]["steps"] == 10
    assert about["finetune"]["method"]["name"] == method
    base, _ = load_backbone(files / "mdm.safetensors")
    tuned, _ = load_backbone(tmp_path / "model.safetensors")
    moved = [
        not torch.equal(a, b) for a, b in zip(base.parameters(), tuned.parameters(), strict=True)
    ]
    assert any(moved)
    assert torch.equal(base.normaliser.mean, tuned.normaliser.mean)


def test_all_rows_start_from_the_same_judgement(files, tmp_path):
    firsts = []
    for method in ("easytune", "draft-10"):
        finetune(files, tmp_path / method, method, "finetune.updates=2")
        record, _ = read_table(tmp_path / method / "record.parquet")
        firsts.append(
            record[(record["update"] == 0) & record["name"].str.startswith("val/")][
                "value"
            ].tolist()
        )
    assert firsts[0] == firsts[1]
    again = tmp_path / "again"
    finetune(files, again, "draft-10", "finetune.updates=2")
    a, b = (
        load_backbone(folder / "model.safetensors")[0] for folder in (tmp_path / "draft-10", again)
    )
    assert all(
        torch.equal(x, y)
        for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    )


def test_lora_is_merged_and_kept_beside(files, tmp_path):
    assert (
        finetune(
            files, tmp_path, "easytune", "finetune.tune=lora", "finetune.lora={rank: 2, alpha: 4}"
        )
        == 0
    )
    assert (tmp_path / "adapters.safetensors").exists()
    base, _ = load_backbone(files / "mdm.safetensors")
    tuned, _ = load_backbone(tmp_path / "model.safetensors")
    changed = {n for n, p in tuned.named_parameters() if not torch.equal(p, base.get_parameter(n))}
    assert changed
    assert all(tuned.get_parameter(name).dim() == 2 for name in changed)


def test_official_switches_are_accepted_and_change_the_result(files, tmp_path):
    plain = tmp_path / "plain"
    finetune(files, plain, "easytune")
    reference = load_backbone(plain / "model.safetensors")[0]
    for number, switch in enumerate(
        (
            "finetune.levels=official",
            "finetune.sampled=true",
            "finetune.reward_state=official",
            "finetune.precision=bf16",
        )
    ):
        out = tmp_path / str(number)
        assert finetune(files, out, "easytune", switch) == 0
        tuned = load_backbone(out / "model.safetensors")[0]
        pairs = list(zip(tuned.parameters(), reference.parameters(), strict=True))
        if switch == "finetune.reward_state=official":
            # this reward has no dropout: its official state costs memory and changes nothing else
            memory = [
                read_json(folder / "cost.json")["memory"]["peak_bytes"] for folder in (plain, out)
            ]
            assert memory[1] > memory[0]
        else:
            assert not all(torch.equal(a, b) for a, b in pairs)


def test_mistakes_are_one_clear_line(files, tmp_path, capsys):
    assert finetune(files, tmp_path, "motionrft", reward=("semantic",)) == 2
    assert "reward_weights" in capsys.readouterr().err
    assert finetune(files, tmp_path, "easytune", reward=("preference",)) == 2
    assert "semantic" in capsys.readouterr().err
    assert finetune(files, tmp_path, "easytune", "finetune.trajectories=3") == 2
    assert "exactly one" in capsys.readouterr().err
    assert finetune(files, tmp_path, "easytune", "finetune.learning_rate=3") == 2
    assert "learning_rate" in capsys.readouterr().err
    assert finetune(files, tmp_path, "easytune", "override.backbones.mdm.reward_form=one_step") == 2
    assert "SDE" in capsys.readouterr().err
    assert finetune(files, tmp_path, "nothing") == 2
    assert "nothing" in capsys.readouterr().err


def test_a_frozen_reward_and_decoder_gather_no_gradient(files):
    from motionrft.config import load_run
    from motionrft.finetune.job import Sources, prepare
    from motionrft.finetune.loop import Training

    run = load_run(files / "run.yaml", ["finetune.validate_every=0"])
    rewards = [
        files / f"{stage}.safetensors" for stage in ("semantic", "preference", "authenticity")
    ]
    sources = Sources(
        files / "mdm.safetensors", rewards, files / "features", files / "text.safetensors"
    )
    job = prepare(run, "mdm", "motionrft", 0, sources, torch.device("cpu"))
    reward = job.course.objective().reward
    Training(job.course, files / "none.pt").run()
    assert not any(
        parameter.requires_grad or parameter.grad is not None for parameter in reward.parameters()
    )
    assert not reward.network.training
    assert all(p.grad is None for p in job.backbone.parameters())
