"""HY-Motion's evaluator: the official file's names and sizes, its distributions, and the protocol that draws them."""

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from small_corpus import write_text

from motionrft.cli import main
from motionrft.cli.options import RunFile
from motionrft.errors import InputError
from motionrft.evaluation.evaluator_file import load_evaluator, save_evaluator
from motionrft.evaluation.evaluators.spm.model import SPM
from motionrft.evaluation.evaluators.spm.official import RENAMED, load_spm
from motionrft.evaluation.official import read_statistics
from motionrft.evaluation.scorer import Scorer
from motionrft.evaluation.settings import PROTOCOLS, protocol
from motionrft.motion.normaliser import Normaliser
from motionrft.reward.network import RewardNetwork
from motionrft.reward.network_settings import NetworkSettings
from reference.tolerance import rounding

SIZES = {"latent_dim": 8, "unified_dim": 8, "layers": 3, "heads": 4, "feedforward": 12, "text_layers": 3,
         "text_heads": 4, "text_feedforward": 12, "projection_layers": 1}  # fmt: skip
OFFICIAL = {"latent_dim": 256, "unified_dim": 256, "layers": 9, "heads": 4, "feedforward": 1024, "text_layers": 9,
            "text_heads": 4, "text_feedforward": 1024, "projection_layers": 1}  # fmt: skip


def official_names(network: RewardNetwork) -> dict[str, torch.Tensor]:
    """The network's tensors as the released file names them."""
    released = {ours: name for name, ours in RENAMED.items()}
    tensors = {}
    for key, value in network.state_dict().items():
        if key.startswith("time_embedding_text."):
            continue  # the two towers share one there
        ours = next((name for name in released if key.startswith(name)), "")
        tensors[released.get(ours, "") + key.removeprefix(ours)] = value
    return tensors


@pytest.fixture
def release(tmp_path):
    torch.manual_seed(0)
    network = RewardNetwork(NetworkSettings({"rotation": 135}, 8, **SIZES)).eval()
    network.time_embedding_text.load_state_dict(network.time_embedding.state_dict())
    state = official_names(network) | {"clip.weight": torch.zeros(2)}
    torch.save({"state_dict": state, "epoch": 1}, tmp_path / "evaluator.pth")
    np.save(tmp_path / "Mean.npy", np.zeros(135))
    np.save(tmp_path / "Std.npy", np.full(135, 0.5))
    return tmp_path, network


def test_the_official_sizes_have_the_official_names_and_shapes():
    with torch.device("meta"):
        network = RewardNetwork(NetworkSettings({"rotation": 135}, 1024, **OFFICIAL))
    names = official_names(network)
    shapes = {re.sub(r"blocks\.\d+", "blocks.*", key): list(v.shape) for key, v in names.items()}
    counts = Counter(re.sub(r"blocks\.\d+", "blocks.*", key) for key in names)
    recorded = json.loads(Path(__file__).with_name("spm_shapes.json").read_text())
    assert {key: [counts[key], shape] for key, shape in shapes.items()} == recorded
    shared = sum(names[f"text_encoder.norm.{part}"].numel() for part in ("weight", "bias"))
    assert sum(value.numel() for value in names.values()) - shared == pytest.approx(
        26.45e6, rel=1e-3
    )


def test_the_file_is_read_strictly_and_embeds_as_the_network_does(release):
    folder, network = release
    normaliser = read_statistics(folder / "Mean.npy", folder / "Std.npy")
    evaluator, build, report = load_spm(folder / "evaluator.pth", normaliser)
    assert report.ignored == ["clip.weight"]
    assert build["spm"]["layers"] == 3
    motions = [torch.randn(47, 135), torch.randn(60, 135)]
    rows, close = evaluator.embed_motions(motions), rounding(network)
    for row, motion in zip(rows, motions, strict=True):
        alone = network.encode_motion(motion[None] / 0.5, None, "rotation")
        torch.testing.assert_close(evaluator.points(row[None]), alone.mean, **close)
        torch.testing.assert_close(row[8:], alone.logvar[0], **close)
    words, lengths = torch.randn(2, 5, 8), torch.tensor([5, 3])
    texts = evaluator.encode_texts(words, None, lengths)
    mask = torch.ones(1, 3, dtype=torch.bool)
    alone = network.encode_text(words[1:, :3], mask)
    torch.testing.assert_close(evaluator.points(texts[1:]), alone.mean, **close)
    state = torch.load(folder / "evaluator.pth", weights_only=True)["state_dict"]
    del state["dist_motion_layer.bias"]
    torch.save({"state_dict": state}, folder / "cut.pth")
    with pytest.raises(InputError, match=r"dist_layer\.bias"):
        load_spm(folder / "cut.pth", normaliser)
    with pytest.raises(InputError, match="reads 135 features, the statistics have 263"):
        load_spm(folder / "evaluator.pth", Normaliser(torch.zeros(263), torch.ones(263)))
    torch.save({"weights": state}, folder / "other.pth")
    with pytest.raises(InputError, match=r"state_dict: no such part"):
        load_spm(folder / "other.pth", normaliser)
    torch.save({"state_dict": {"weights": state["dist_motion_layer.weight"]}}, folder / "other.pth")
    with pytest.raises(InputError, match=r"state_dict\.skel_embedding\.weight: tensor missing"):
        load_spm(folder / "other.pth", normaliser)


def test_points_are_means_or_reparameterised_draws():
    evaluator = SPM(
        NetworkSettings({"rotation": 135}, 8, **SIZES),
        Normaliser(torch.zeros(135), torch.ones(135)),
    )
    rows = torch.cat([torch.full((4000, 8), 2.0), torch.full((4000, 8), np.log(0.25))], dim=1)
    assert torch.equal(evaluator.points(rows), rows[:, :8])
    drawn = evaluator.points(rows, torch.Generator().manual_seed(0))
    assert torch.equal(drawn, evaluator.points(rows, torch.Generator().manual_seed(0)))
    error = 0.5 / drawn.numel() ** 0.5
    assert float(drawn.mean()) == pytest.approx(2.0, abs=4 * error)
    assert float(drawn.std()) == pytest.approx(0.5, abs=4 * error / 2**0.5)


def test_hymotion_scores_rotations_with_it(release, store, text):
    folder, _ = release
    normaliser = read_statistics(folder / "Mean.npy", folder / "Std.npy")
    evaluator, build, _ = load_spm(folder / "evaluator.pth", normaliser)
    about = {
        "label": "official",
        "corpus": "",
        "build": build,
        "text": text.about,
        "settings": {"network": "spm"},
    }
    save_evaluator(folder / "model.safetensors", evaluator, about)
    loaded, _, _ = load_evaluator(folder / "model.safetensors")
    motion = [torch.randn(50, 135)]
    expected = evaluator.embed_motions(motion)
    assert torch.equal(loaded.embed_motions(motion), expected)
    half = loaded.embed_motions(motion, precision="bf16")
    assert half.dtype == torch.float32
    # two projections and three blocks of six products, each rounding two factors and its result by 2^-8 at most
    assert 0 < (half - expected).norm() < (3 * (2 + 3 * 6)) ** 0.5 * 2**-8 * expected.norm()
    changes = {"group": 16, "min_frames": 20, "multimodality": {"texts": 0}}
    scorer, means = (
        Scorer(store, folder / "model.safetensors", text, protocol(name, **changes))
        for name in ("hymotion", "sound")
    )
    drawn = scorer.draw(0)
    rows = scorer.data.store.features("rotation")
    clips = scorer.clips

    def source(captions, lengths, seeds):
        starts = clips["start"].to_numpy()[drawn.rows]
        return [
            torch.from_numpy(np.array(rows[start : start + int(length)]))
            for start, length in zip(starts, lengths, strict=True)
        ]

    real, copied = scorer.score_real(0), scorer.score(source, "rotation", "copy", 0)
    assert real.metrics["FID"] == 0.0
    # whole recorded motions have the stored rotations: what is read is the same, and so are the draws
    for key in ("MM-Dist", "Diversity", "R-Precision Top-1"):
        assert copied.metrics[key] == pytest.approx(real.metrics[key], abs=1e-4), key
    assert copied.metrics["FID"] == pytest.approx(0.0, abs=0.2)  # another draw of the same normals
    assert real.metrics["Diversity"] < 2.0  # of unit vectors
    assert scorer.score_real(1).metrics["MM-Dist"] != real.metrics["MM-Dist"]
    again = means.score_real(0).metrics["MM-Dist"]
    assert again == means.score_real(0).metrics["MM-Dist"]


def test_parts_of_clips_are_left_out_and_only_they():
    import pandas as pd

    table = pd.DataFrame(
        {
            "clip": ["000001", "A_000001", "M000001", "toy_3", "walk_a"],
            "source": ["000001", "000001", "M000001", "toy:walk", "walk_a.bvh"],
        }
    )
    assert PROTOCOLS["hymotion"].clips(table)["clip"].tolist() == [
        "000001",
        "M000001",
        "toy_3",
        "walk_a",
    ]


def test_the_command_imports_it_with_its_text(release, store, text, monkeypatch, capsys):
    folder, _ = release
    section = {
        "checkpoint": "evaluator.pth",
        "network": "spm",
        "mean": "Mean.npy",
        "std": "Std.npy",
    }
    monkeypatch.chdir(folder)
    monkeypatch.setattr(RunFile, "load", lambda run: {"evaluator": section})
    call = [
        "train-evaluator",
        "--features",
        str(store),
        "--device",
        "cpu",
        "--out",
        "e.safetensors",
    ]
    assert main([*call, "--text", str(text.path)]) == 0
    assert "0 missing, 0 unexpected" in capsys.readouterr().out
    _, about, _ = load_evaluator("e.safetensors")
    assert about["label"] == "official"
    assert about["text"]["name"] == "toy"
    assert main(call) == 2
    assert "--text: needed: this evaluator reads token states" in capsys.readouterr().err
    narrow = write_text(folder / "narrow.safetensors", width=5)
    assert main([*call, "--text", str(narrow.path)]) == 2
    assert "token states of width 5, the evaluator reads 8" in capsys.readouterr().err
