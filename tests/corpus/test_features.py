from pathlib import Path

import numpy as np
import pytest
import torch

from motionrft.corpus import features
from motionrft.corpus.dataset import MotionDataset
from motionrft.corpus.store import Clip, Corpus, FeatureStore, write_corpus
from motionrft.errors import InputError
from motionrft.files import read_table
from motionrft.motion.kinematic import process
from motionrft.motion.representation import MODULES, representation
from motionrft.motion.skeleton import SMPL_22
from reference.families.features import Apart
from reference.tolerance import UNIT
from tests.corpus.synthetic_bodies import motion

STORED = {"rtol": 2 * UNIT, "atol": 1e-12}  # a float64 sum, stored as float32
FRAMES = [41, 60, 52, 45, 80, 44, 50]
SPLITS = ["train", "train", "val", "test", "train", "train", "test"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    clips = [
        Clip(f"clip{row}", motion(frames, row), [f"caption {row}"], split)
        for row, (frames, split) in enumerate(zip(FRAMES, SPLITS, strict=True))
    ]
    write_corpus(folder, clips, {"corpus": {"kind": "test"}})
    return folder


@pytest.fixture(scope="module")
def store(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    out = tmp_path_factory.mktemp("features")
    features.write_features(corpus, out, {}, compat="humanml3d", batch=3)
    return FeatureStore(out)


def test_every_clip_has_the_features_of_its_own_joints(corpus: Path, store: FeatureStore):
    packed = Corpus(corpus)
    assert store.clips["frames"].tolist() == [frames - 1 for frames in FRAMES]
    assert store.clips["clip"].tolist() == packed.clips["clip"].tolist()
    for row, clip in enumerate(store.clips.itertuples()):
        joints = torch.from_numpy(np.array(packed.joints(row)))[None]
        for name in MODULES:
            expected, _ = representation(name).encode(joints, torch.tensor([joints.shape[1]]))
            within = Apart.of(SMPL_22, joints, SMPL_22.bone_lengths()).directions
            found = store.features(name)[clip.start : clip.start + clip.frames]
            assert np.allclose(found, expected[0].numpy(), atol=within), (name, clip.clip)


def test_statistics_are_of_the_training_split(store: FeatureStore):
    rows = [
        np.arange(clip.start, clip.start + clip.frames)
        for clip in store.clips.itertuples()
        if clip.split == "train"
    ]
    for name in MODULES:
        train = store.features(name)[np.concatenate(rows)].astype(np.float64)
        normaliser = store.normaliser(name)
        if name == "joint":
            axes = train.reshape(-1, 22, 3)
            assert np.allclose(normaliser.mean.reshape(22, 3), axes.mean((0, 1)), **STORED)
            assert np.allclose(normaliser.std.reshape(22, 3), axes.std((0, 1)), **STORED)
            continue
        assert np.allclose(normaliser.mean, train.mean(0), **STORED)
        std = train.std(0)
        if name == "kinematic":
            for begin, end in ((0, 1), (1, 3), (3, 4), (4, 67), (67, 193), (193, 259), (259, 263)):
                std[begin:end] = std[begin:end].mean()
        assert np.allclose(normaliser.std, np.maximum(std, features.FLOOR[name]), **STORED)
        assert (normaliser.std > 0).all()


def test_a_channel_that_never_changes_stays_finite_and_small(store: FeatureStore):
    raw = torch.from_numpy(np.array(store.features("rotation")))
    normal = store.normaliser("rotation").normalise(raw)
    ends = slice(3 + 6 * 15, 3 + 6 * 16)  # the head's rotation is unknown, hence constant
    assert normal[:, ends].abs().max() < 1e-3
    assert normal.isfinite().all()


def test_more_processes_write_the_same_bytes(corpus: Path, store: FeatureStore, tmp_path: Path):
    features.write_features(corpus, tmp_path, {}, compat="humanml3d", batch=3, workers=2)
    for name in [*(f"{name}.npy" for name in MODULES), "stats.safetensors"]:
        assert (tmp_path / name).read_bytes() == (store.folder / name).read_bytes(), name


def test_the_store_serves_training_batches(store: FeatureStore):
    batch = MotionDataset(store.folder, "kinematic", "train").batch_at(0, 2, 0)
    assert batch.features.shape[2] == 263


def test_an_undefined_bone_is_named_and_nothing_is_written(tmp_path: Path):
    broken = motion(45, 0)
    broken[:, 21] = broken[:, 19] + np.array([0.0, 0.27, 0.0])  # against the raw direction
    clips = [Clip("whole", motion(45, 1), ["x"], "train"), Clip("flat", broken, ["x"], "train")]
    write_corpus(tmp_path / "corpus", clips, {"corpus": {"compat": "corrected"}})
    with pytest.raises(InputError, match=r"1 clips \(flat: the bone from right_elbow to right_wr"):
        features.write_features(tmp_path / "corpus", tmp_path / "out", {}, compat="humanml3d")
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]
    features.write_features(tmp_path / "corpus", tmp_path / "out", {}, compat="corrected")
    assert FeatureStore(tmp_path / "out").about["compat"] == "corrected"


def test_batches_are_bounded_by_clips_and_frames():
    frames = np.array([50, 60, 200, 20_000, 7_000, 6_500])
    parts = [part.tolist() for part in features._parts(np.argsort(frames), frames, 2)]
    assert parts == [[0, 1], [2], [5], [4], [3]]
    even = features._parts(np.arange(70), np.full(70, 196), 32)
    assert [len(part) for part in even] == [32, 32, 6]


def test_a_corpus_without_training_clips_is_refused(tmp_path: Path):
    write_corpus(tmp_path / "corpus", [Clip("one", motion(45, 1), ["x"], "test")], {})
    with pytest.raises(InputError, match="no training clip"):
        features.write_features(tmp_path / "corpus", tmp_path / "out", {}, compat="humanml3d")


def test_features_that_come_with_the_data_are_kept(tmp_path: Path):
    joints = motion(50, 3)
    own, _ = process(torch.from_numpy(joints)[None], torch.tensor([50]))
    clip = Clip("given", joints[:49], ["x"], "train", features=own[0].numpy())
    statistics = {"kinematic": {"mean": [1.0] * 263, "std": [2.0] * 263}}
    write_corpus(tmp_path / "corpus", [clip], {}, facts={"statistics": statistics})
    features.write_features(tmp_path / "corpus", tmp_path / "out", {}, compat="humanml3d")
    store = FeatureStore(tmp_path / "out")
    assert np.array_equal(store.features("kinematic"), own[0].numpy())
    assert store.features("joint").shape == (49, 66)
    assert store.normaliser("kinematic").std.unique().tolist() == [2.0]


def test_features_for_some_clips_only_are_refused(tmp_path: Path):
    given = Clip("given", motion(45, 0), ["x"], "train", features=np.zeros((45, 263), np.float32))
    bare = Clip("bare", motion(45, 1), ["x"], "train")
    for clips in ([given, bare], [bare, given]):
        with pytest.raises(InputError, match="some clips"):
            write_corpus(tmp_path, clips, {})
        assert not (tmp_path / "corpus.json").exists()


def test_the_table_carries_what_the_features_are(store: FeatureStore):
    _, about = read_table(store.folder / "clips.parquet")
    assert about["compat"] == "humanml3d"
    assert about["skeleton"] == "smpl22"
    assert store.representation("rotation").dim == 135


def test_a_batch_without_motions_is_the_same_batch_otherwise(store):
    data = MotionDataset(store.folder, "kinematic", "train")
    for step in range(3):
        whole, light = data.batch_at(step, 2, 0), data.batch_at(step, 2, 0, motions=False)
        assert light.features.shape == (2, 0, whole.features.shape[2])
        assert light.lengths.equal(whole.lengths)
        assert (light.captions, light.clips) == (whole.captions, whole.clips)
