"""Judged motions: the store, one law for both classes, released files, and bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motionrft.corpus.samples import Samples, write_samples
from motionrft.corpus.store import FeatureStore
from motionrft.errors import InputError
from motionrft.motion.normaliser import Normaliser
from motionrft.reward.data.judged import Judged, JudgedMotions, JudgedPair, write_judged
from motionrft.reward.data.make import authenticity_items, corruption_pairs, samples_of
from motionrft.reward.data.official import official_generated, official_pairs
from motionrft.reward.settings import OfficialBehaviour
from motionrft.reward.stages.judged import TaskData

UNIT = {"joint": Normaliser(torch.zeros(66), torch.ones(66))}
RNG = np.random.default_rng(0)


def motion(frames: int) -> np.ndarray:
    return RNG.normal(size=(frames, 66)).astype(np.float32)


def test_pairs_round_trip(tmp_path):
    arrays = [motion(9), motion(9), motion(12), motion(12)]
    pairs = [
        JudgedPair(*(Judged({"joint": a}, "train", "c") for a in arrays[i : i + 2]), "jitter", 2)
        for i in (0, 2)
    ]
    write_judged(tmp_path, pairs, "preference", {"labels": "made"})
    data = JudgedMotions(tmp_path, "preference", UNIT)
    for index, array in enumerate(arrays):
        assert np.array_equal(data.raw(index).numpy(), array)
    features, lengths = data.batch([0, 2], 196)
    assert lengths.tolist() == [8, 12]
    assert (features[0, 8:] == 0).all()
    items = TaskData(data, "preference", "train", OfficialBehaviour())
    views, _, name = items.batch([1])
    assert name == "joint"
    assert np.array_equal(views[1][0][0].numpy(), arrays[3])
    with pytest.raises(InputError, match="reward-data --kind authenticity"):
        JudgedMotions(tmp_path, "authenticity", UNIT)


def test_one_crop_law_for_real_and_generated_and_the_released_leak(tmp_path):
    items = [Judged({"joint": motion(10)}, "train", "a", g) for g in ("", "mld")]
    write_judged(tmp_path, items, "authenticity", {})
    shifted = {"joint": Normaliser(torch.ones(66), torch.ones(66))}
    data = JudgedMotions(tmp_path, "authenticity", shifted)
    for seeds in (None, [[1], [1]]):
        features, lengths = data.batch([0, 1], 196, seeds)
        assert lengths[0] == lengths[1]
        assert (features[:, int(lengths[0]) :] == 0).all()
    features, lengths = data.batch_official([0, 1], 16, leaking_mask=True)
    assert lengths.tolist() == [16, 10]
    assert (features[0, 10:] == 0).all()
    assert (features[1, 10:] == -1).all()


def test_classes_weigh_the_same_however_many_generators(tmp_path):
    items = [Judged({"joint": motion(9)}, "train", "a", g) for g in ("", "a", "b", "c")]
    write_judged(tmp_path, items, "authenticity", {})
    data = JudgedMotions(tmp_path, "authenticity", UNIT)
    ours, released = (
        TaskData(data, "authenticity", "train", OfficialBehaviour(unbalanced=switch))
        for switch in (False, True)
    )
    real, generated = ours.class_weights()
    assert real == pytest.approx(3 * generated)
    assert real + 3 * generated == pytest.approx(4.0)
    assert released.class_weights() == (1.0, 1.0)


def test_bad_motions_are_named(tmp_path):
    bad = motion(9)
    bad[4] = np.nan
    with pytest.raises(InputError, match="NaN or infinite values in frame 4"):
        write_judged(tmp_path, [Judged({"joint": bad}, "train", "walk")], "authenticity", {})
    assert not (tmp_path / "judged.json").exists()
    with pytest.raises(InputError, match="2 frames"):
        write_judged(tmp_path, [Judged({"joint": motion(2)}, "train")], "authenticity", {})
    mixed = [Judged({"joint": motion(9)}, "train"), Judged({"joint": motion(9)[:, :65]}, "train")]
    with pytest.raises(InputError, match=r"shape \(9, 65\)"):
        write_judged(tmp_path, mixed, "authenticity", {})


def test_released_preference_files(tmp_path):
    path = tmp_path / "critic_train_22x3.pth"
    better, worse = torch.randn(1, 6, 22, 3), torch.randn(8, 22, 3)
    torch.save([{"motion_better": better, "motion_worse": worse.numpy()}], path)
    with pytest.raises(InputError, match=r"\[0\]: 6 frames against 8"):
        list(official_pairs([path]))
    worse = worse[:6]
    torch.save([{"motion_better": better, "motion_worse": worse.numpy()}], path)
    (pair,) = official_pairs([path])
    assert pair.better.split == "train"
    assert pair.better.features["joint"].shape == (6, 66)
    assert np.array_equal(pair.worse.features["joint"], worse.flatten(1).numpy())
    stacked = {"motion_better": torch.randn(2, 9, 22, 3), "motion_worse": torch.randn(2, 9, 22, 3)}
    stacked |= {"length_better": torch.tensor([5, 7]), "length_worse": torch.tensor([5, 7])}
    torch.save(stacked, path)
    assert [len(p.worse.features["joint"]) for p in official_pairs([path])] == [5, 7]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("critic_train_135.pth", [{"motion_better": torch.zeros(6, 66), "motion_worse": torch.zeros(6, 66)}], "no rotation motion"),
        ("critic_train_263.pth", [{"motion_better": torch.zeros(6, 263)}], "motion_worse: missing"),
        ("critic_train_263.pth", {"motion_better": torch.zeros(2, 6, 263), "motion_worse": torch.zeros(3, 6, 263)}, "2 better but 3 worse"),
        ("critic_train_263.pth", {"motion_better": torch.zeros(2, 6, 263), "motion_worse": torch.zeros(2, 6, 263), "length_worse": torch.tensor([5])}, "length_worse: 1 lengths for 2"),
        ("critic_263.pth", [], "which split"),
        ("critic_train_9.pth", [], "which representation"),
        ("critic_train_263.pth", [{"motion_better": "x", "motion_worse": "y"}], "not a tensor"),
    ],
)  # fmt: skip
def test_bad_preference_files_are_named(tmp_path, name, value, message):
    torch.save(value, tmp_path / name)
    with pytest.raises(InputError, match=message):
        list(official_pairs([tmp_path / name]))


def test_bytes_that_are_no_file_of_tensors_are_named(tmp_path):
    path = tmp_path / "critic_train_263.pth"
    path.write_bytes(b"hello")
    with pytest.raises(InputError, match="not a checkpoint of plain tensors"):
        list(official_pairs([path]))


def test_released_authenticity_files(tmp_path):
    path = tmp_path / "ai_generated_val.pth"
    entry = {
        "motions": torch.randn(2, 12, 22, 3),
        "lengths": torch.tensor([8, 12]),
        "sources": ["mld", "acmdm"],
    }
    torch.save({"22x3": entry}, path)
    first, second = official_generated([path], held_out=["acmdm"])
    assert (first.generator, first.split, len(first.features["joint"])) == ("mld", "val", 8)
    assert (second.generator, second.split) == ("acmdm", "held_out")
    torch.save({"22x3": {**entry, "lengths": torch.tensor([8])}}, path)
    with pytest.raises(InputError, match="2 motions but 1 lengths"):
        list(official_generated([path]))
    torch.save({"22x3": {**entry, "sources": ["mld"]}}, path)
    with pytest.raises(InputError, match="2 motions but 1 sources"):
        list(official_generated([path]))
    torch.save({"201": entry}, path)
    with pytest.raises(InputError, match="unknown representation '201'"):
        list(official_generated([path]))


def joints_store(folder):
    """A feature store whose joint representation holds plausible bodies."""
    from motionrft.motion.skeleton import SMPL_22

    store = FeatureStore(folder)
    rest = SMPL_22.rest_offsets()
    parents = SMPL_22.parents
    body = torch.zeros(22, 3)
    for joint in range(1, 22):
        body[joint] = body[parents[joint]] + rest[joint]
    body = (body - body.min(0).values).numpy()
    values = np.load(folder / "joint.npy", mmap_mode="r+")
    time = np.arange(len(values))[:, None]
    moving = body.reshape(1, 66) + 0.05 * np.sin(time * 0.2 + np.arange(66)[None])
    values[:] = moving
    values.flush()
    return store


@pytest.fixture
def bodies(tmp_path):
    from .conftest import write_store

    write_store(tmp_path / "features", clips=30)
    return joints_store(tmp_path / "features")


def test_corruption_pairs_stay_in_their_split_and_are_alike_in_length(bodies, tmp_path):
    pairs = list(corruption_pairs(bodies, 16, seed=0))
    split = dict(zip(bodies.clips["clip"], bodies.clips["split"], strict=True))
    assert len(pairs) == 16
    assert len({pair.kind for pair in pairs}) == 8
    for pair in pairs:
        assert pair.better.split == pair.worse.split == split[pair.better.clip]
        assert {len(f) for side in (pair.better, pair.worse) for f in side.features.values()} == {
            len(pair.better.features["joint"])
        }
        assert set(pair.better.features) == {"kinematic", "joint", "rotation"}
    write_judged(tmp_path / "data", pairs, "preference", {})


def samples(store, generator: str, clips: list[str]) -> Samples:
    joints = [
        torch.from_numpy(np.array(store.features("joint")[:45]).reshape(45, 22, 3)) for _ in clips
    ]
    return Samples(
        "joint", [j.flatten(1) for j in joints], joints, ["x"] * len(clips), clips, generator, {}
    )


def test_authenticity_keeps_held_out_generators_out_of_training(bodies, tmp_path):
    by_split = {
        s: bodies.clips[bodies.clips["split"] == s]["clip"].tolist()[:2]
        for s in ("train", "val", "test")
    }
    clips = [clip for names in by_split.values() for clip in names]
    for name in ("mdm", "mld"):
        write_samples(tmp_path / f"{name}.safetensors", samples(bodies, name, clips))
    both = samples_of([tmp_path / "mdm.safetensors", tmp_path / "mld.safetensors"])
    items = list(authenticity_items(bodies, both, ["mld"]))
    seen = {(item.split, item.generator) for item in items}
    assert ("train", "mld") not in seen
    assert ("held_out", "mld") in seen
    assert ("train", "mdm") in seen
    # neither the representation a generator has nor the class shows in a length
    for clip in clips:
        same = [item for item in items if item.clip == clip]
        assert len({len(f) for item in same for f in item.features.values()}) == 1
    assert ("held_out", "") in seen
    for split, names in by_split.items():
        assert {i.clip for i in items if i.split == split and not i.generator} == set(names)
    with pytest.raises(InputError, match="no samples of held-out generator 'flow'"):
        list(authenticity_items(bodies, both, ["flow"]))
    with pytest.raises(InputError, match="every generator is held out"):
        list(authenticity_items(bodies, both, ["mld", "mdm"]))
    only_test = [samples(bodies, "mdm", by_split["test"])]
    with pytest.raises(InputError, match="no sample of a caption of the train split"):
        list(authenticity_items(bodies, only_test, []))
