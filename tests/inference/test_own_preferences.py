"""The whole way from people's choices to a model: forty choices on the page, a branch that orders pairs it has not
seen, a fine-tuned model. The person is simulated, and prefers higher hands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import motionrft
from motionrft.cli import main
from motionrft.configuration import dump, resolve
from motionrft.corpus.samples import Samples, write_samples
from motionrft.corpus.store import FeatureStore
from motionrft.files import read_table
from motionrft.motion.skeleton import SMPL_22
from motionrft.reward.data.features import real_joints

TRAIN = {"batch_size": 16, "lr": 2.0e-3, "warmup": 2}
RUN = {
    "name": "rated",
    "size": "small",
    "corpus": {"kind": "toy", "clips": 240, "seed": 0, "frames": [41, 57]},
    "backbones": ["mdm"],
    "methods": ["easytune"],
    "reward": {
        "stages": {
            "semantic": {"train": {**TRAIN, "steps": 60, "validate_every": 60}},
            "preference": {"train": {**TRAIN, "steps": 80, "validate_every": 20}},
            "authenticity": None,
            "spl": None,
        },
        "weights": {"semantic": 0.0, "m2m": 0.0, "preference": 1.0, "authenticity": 0.0},
    },
    "finetune": {
        "updates": 20,
        "batch_size": 8,
        "lr": 1e-3,
        "validate_every": 20,
        "validate_prompts": 16,
        "select_by": "reward",  # no judge is trained here
    },
    "override": {
        "methods": {"easytune": {"reward_weights": {"semantic": 0.0, "preference": 1.0}}},
        "backbones": {
            "mdm": {
                "network": {"latent_dim": 32, "ff_size": 64, "layers": 1},
                "sampler": {"steps": 5},
                "pretrain": {"denoiser": {"steps": 80, "batch_size": 16}},
            }
        },
    },
}
WRISTS, PELVIS = [SMPL_22.index("left_wrist"), SMPL_22.index("right_wrist")], 0


def hands(joints) -> float:
    """Mean height of the wrists over the pelvis, metres."""
    joints = torch.as_tensor(joints)
    return float((joints[:, WRISTS, 1] - joints[:, [PELVIS], 1]).mean())


@pytest.fixture(scope="module")
def rated(tmp_path_factory):
    """A run as far as its semantic stage and its base model."""
    folder = tmp_path_factory.mktemp("rated")
    config = folder / "config.yaml"
    config.write_text(dump(resolve(RUN)), encoding="utf-8")
    corpus, text = ["--corpus", str(folder / "corpus")], folder / "text"
    shared = ["--features", str(folder / "features"), "--text", str(text / "toy.safetensors")]
    for command, *options in (
        ["corpus", "--out", str(folder / "corpus")],
        ["features", *corpus, "--out", str(folder / "features")],
        ["text-encoder", *corpus, "--name", "toy", "--out", str(text / "toy")],
        ["text", *corpus, "--name", "toy", "--source", str(text / "toy"), "--out", str(text / "toy.safetensors")],
        ["pretrain", "--backbone", "mdm", "--stage", "denoiser", *shared, "--out", str(folder / "base.safetensors")],
        ["train-reward", "--stage", "semantic", *shared, "--out", str(folder / "reward/semantic.safetensors")],
    ):  # fmt: skip
        assert main([command, "--config", str(config), *options]) == 0
    return folder


def two_generators(folder):
    """Samples of two "models": clips of the corpus, and each clip's sentence with another clip's motion."""
    store = FeatureStore(folder / "features")
    rows = np.random.default_rng(0).permutation(len(store.clips))[:120]
    motions = [torch.from_numpy(real_joints(store, row))[:40].float() for row in rows]
    clips = store.clips.iloc[rows]
    captions = [str(captions[0]) for captions in clips["captions"]]
    one = Samples(
        "joint", [m.flatten(1) for m in motions], motions, captions, list(clips["clip"]), "one", {}
    )
    moved = motions[1:] + motions[:1]
    other = replace(one, features=[m.flatten(1) for m in moved], joints=moved, generator="other")
    return one, other


@pytest.mark.slow
@pytest.mark.browser
def test_forty_choices_become_a_model(rated, browser):
    one, other = two_generators(rated)
    files = rated / "one.safetensors", rated / "other.safetensors"
    for path, samples in zip(files, (one, other), strict=True):
        write_samples(path, samples)
    page, table = rated / "page.html", rated / "pairs.csv"
    assert main(["preferences", *map(str, files), "--pairs", "40", "--out", str(page)]) == 0

    # forty choices on the page
    browser.get(page.as_uri())
    pairs = browser.execute_script("return pairs.map((pair) => [pair.left, pair.rows])")
    assert len(pairs) == 40
    for left, rows in pairs:
        heights = [
            hands(samples.joints[row]) for samples, row in zip((one, other), rows, strict=True)
        ]
        higher = int(heights[1] > heights[0])
        browser.execute_script("choose(arguments[0])", "left" if higher == left else "right")
    assert browser.execute_script("return document.body.dataset.decided") == "40"
    table.write_text(browser.execute_script("return table()"), encoding="utf-8")
    browser.execute_script("localStorage.clear()")

    # three commands
    config = ["--config", str(rated / "config.yaml")]
    features = ["--features", str(rated / "features")]
    text = ["--text", str(rated / "text/toy.safetensors")]
    data, out = str(rated / "reward/data/preference"), rated / "tuned"
    semantic, branch = (str(rated / f"reward/{name}.safetensors") for name in ("semantic", "preference"))  # fmt: skip
    for command, *options in (
        ["reward-data", "--kind", "preference", *features, "--given", str(table), "--out", data],
        ["train-reward", "--stage", "preference", *features, *text, "--from", semantic, "--data", data, "--out", branch],
        ["finetune", "--backbone", "mdm", "--method", "easytune", "--base", str(rated / "base.safetensors"),
         "--reward", semantic, branch, *features, *text, "--out", str(out)],
    ):  # fmt: skip
        assert main([command, *config, *options]) == 0

    # the branch orders pairs that nobody has rated
    seen = {rows[0] for _, rows in pairs}
    held = [row for row in range(len(one)) if row not in seen]
    reward = motionrft.load_reward(rated / "reward")
    scores, heights = [], []
    for samples in (one, other):
        motions = [motionrft.Motion(samples.joints[row], 20.0) for row in held]
        sentences = [samples.captions[row] for row in held]
        scores.append(reward.score(motions, sentences)["preference"].to_numpy())
        heights.append(np.array([hands(motion.joints) for motion in motions]))
    right = (scores[1] > scores[0]) == (heights[1] > heights[0])
    print(f"{right.mean():.3f} of {len(held)} held-out pairs in order")
    chance = 0.5 + 2.6 * 0.5 / len(held) ** 0.5  # one in two hundred coin-tossers is as good
    assert right.mean() > chance

    # fine-tuning raised what the branch scores, and the hands
    record = read_table(out / "record.parquet")[0]
    validated = record[record["name"] == "val/reward"].sort_values("update")["value"].tolist()
    assert validated[-1] > validated[0]
    raised = [
        np.mean([hands(motion.joints) for motion in motionrft.load_model(model, encoder=rated / "text/toy").generate(
            [one.captions[row] for row in held[:24]], seconds=2.0)])
        for model in (rated / "base.safetensors", out / "model.safetensors")
    ]  # fmt: skip
    print(f"hands over the pelvis: {raised[0]:.3f} m before, {raised[1]:.3f} m after")
    assert raised[1] > raised[0]
