import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from motionrft.corpus.captions import Caption
from motionrft.corpus.features import write_features
from motionrft.corpus.kinds import humanml3d
from motionrft.corpus.official.reader import letters
from motionrft.corpus.official.writer import captions_of, write_official
from motionrft.corpus.report import Report
from motionrft.corpus.store import Clip, Corpus, FeatureStore, write_corpus
from motionrft.errors import InputError
from motionrft.motion.kinematic import process
from tests.corpus.synthetic_bodies import motion

FRAMES = {"000001": 61, "M000001": 61, "000002": 90, "000003": 201, "000004": 30, "000005": 120}
SPLITS = {"000002": "val", "000005": "test"}
PARTS = [
    Caption("he turns", ("he/PRON", "turn/VERB"), 0.5, 3.0),
    Caption("he stops", ("he/PRON",), 3.0, 4.0),
]


def bodies() -> list[Clip]:
    return [
        Clip(
            name,
            motion(frames, row),
            [f"person {row} walks", "someone moves"],
            SPLITS.get(name, "train"),
        )
        for row, (name, frames) in enumerate(FRAMES.items())
    ]


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """Six clips in the official layout: one too short, one too long, one with parts."""
    folder = tmp_path / "HumanML3D"
    write_official(
        folder,
        ((clip, captions_of(clip) + (PARTS if clip.name == "000005" else [])) for clip in bodies()),
    )
    return folder


def settings(folder: Path, **changes: str) -> dict[str, str]:
    return {"humanml3d_dir": str(folder), "compat": "humanml3d", "on_error": "skip", **changes}


def read(folder: Path, **changes: str) -> tuple[dict[str, Clip], list[str]]:
    chosen = settings(folder, **changes)
    report = Report(chosen["on_error"] == "fail")
    clips = list(humanml3d.CORPUS(chosen, "config.yaml", report))
    return {clip.name: clip for clip in clips}, report.skipped


def test_what_goes_out_comes_back(official: Path):
    clips, skipped = read(official)
    kept = {"000001", "M000001", "000002", "000005", "A_000005"}
    assert set(clips) == kept
    for clip in bodies():
        if clip.name not in kept:
            continue
        expected, _ = process(torch.from_numpy(clip.joints)[None], torch.tensor([len(clip.joints)]))
        found = clips[clip.name]
        assert np.array_equal(found.features, expected[0].numpy())
        assert np.array_equal(found.joints, np.load(official / "new_joints" / f"{clip.name}.npy"))
        assert (found.captions, found.split) == (clip.captions, clip.split)
        assert found.mirror_of == ("000001" if clip.name == "M000001" else "")
    assert len(skipped) == 3
    assert any(line.startswith("000003: 200 frames") for line in skipped)
    assert any(line.startswith("000004: 29 frames") for line in skipped)
    assert any(line.startswith("B_000005: 20 frames") for line in skipped)


def test_a_part_is_a_clip_of_its_own(official: Path):
    clips, _ = read(official)
    part = clips["A_000005"]
    assert np.array_equal(part.features, clips["000005"].features[10:60])
    assert part.captions == ["he turns"]
    assert part.extra["tokens"] == ["he/PRON turn/VERB"]
    assert part.split == "test"
    assert (part.source, part.mirror_of) == ("000005", "")
    assert np.abs(part.joints[0, 0, [0, 2]]).max() == 0


def test_names_of_parts_are_the_same_every_time(official: Path):
    assert list(read(official)[0]) == list(read(official)[0])
    assert [letters(number) for number in (0, 25, 26, 27, 52)] == ["A", "Z", "AA", "AB", "BA"]


def test_the_whole_way_into_the_feature_store(official: Path, tmp_path: Path):
    facts = humanml3d.facts(settings(official), "config.yaml")
    clips = humanml3d.CORPUS(settings(official), "config.yaml", Report())
    write_corpus(tmp_path / "corpus", clips, {}, fps=humanml3d.FPS, facts=facts)
    write_features(tmp_path / "corpus", tmp_path / "features", {}, compat="humanml3d", batch=2)
    store = FeatureStore(tmp_path / "features")
    assert store.clips["frames"].tolist() == Corpus(tmp_path / "corpus").clips["frames"].tolist()
    row = store.clips.set_index("clip").loc["000002"]
    found = store.features("kinematic")[row.start : row.start + row.frames]
    assert np.array_equal(found, np.load(official / "new_joint_vecs" / "000002.npy"))
    assert np.array_equal(store.normaliser("kinematic").std, np.load(official / "Std.npy"))


def test_the_corrected_variant_extracts_again(official: Path, tmp_path: Path):
    clips, _ = read(official, compat="corrected")
    assert all(clip.features is None for clip in clips.values())
    assert "statistics" not in humanml3d.facts(
        settings(official, compat="corrected"), "config.yaml"
    )


def test_broken_lines_are_reported_with_file_and_line(official: Path):
    path = official / "texts" / "000002.txt"
    path.write_text(path.read_text() + "no tokens here\n")
    clips, skipped = read(official)
    assert clips["000002"].captions == ["person 2 walks", "someone moves"]
    assert [line for line in skipped if f"{path}:3" in line]
    with pytest.raises(InputError, match=r"000002\.txt:3.*Fix"):
        read(official, on_error="fail")


def test_clips_with_nan_are_named_and_left_out(official: Path):
    path = official / "new_joint_vecs" / "000002.npy"
    array = np.load(path)
    array[3, 100] = np.nan
    np.save(path, array)
    clips, skipped = read(official, on_error="fail")
    assert "000002" not in clips
    assert "000002: NaN in new_joint_vecs" in skipped


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.unlink(), "no such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "not a readable"),
        (lambda path: np.save(path, np.zeros((60, 251))), "expected \\(frames, 263\\)"),
        (lambda path: np.save(path, np.load(path) + 1), "differ by"),
    ],
)
def test_broken_files_are_named(official: Path, change, message: str):
    change(official / "new_joint_vecs" / "000001.npy")
    clips, skipped = read(official)
    assert "000001" not in clips
    assert "M000001" in clips
    assert any("000001.npy" in line for line in skipped)
    with pytest.raises(InputError, match=message):
        read(official, on_error="fail")


def test_missing_data_is_one_clear_message(tmp_path: Path):
    with pytest.raises(
        InputError, match=r"new_joint_vecs, texts.*licence.*github\.com/EricGuo5513.*humanml3d_dir="
    ):
        read(tmp_path)
    with pytest.raises(InputError, match=r"Mean\.npy"):
        humanml3d.facts(settings(tmp_path), "config.yaml")


def test_statistics_of_another_size_are_refused(official: Path):
    np.save(official / "Std.npy", np.ones(251))
    with pytest.raises(InputError, match=r"Std\.npy.*251 numbers, expected 263"):
        humanml3d.facts(settings(official), "config.yaml")


def test_byte_order_marks_are_no_text(official: Path):
    plain, _ = read(official)
    for path in (*official.glob("*.txt"), *(official / "texts").glob("*.txt")):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    marked, skipped = read(official)
    assert list(marked) == list(plain)
    assert marked["000001"].captions == plain["000001"].captions
    assert len(skipped) == 3


def test_an_empty_caption_file_is_named(official: Path):
    (official / "texts" / "000002.txt").write_text("")
    clips, skipped = read(official)
    assert "000002" not in clips
    assert [line for line in skipped if line.endswith("000002.txt: no caption in the file")]


def test_captions_are_read_from_their_zip_file(official: Path):
    plain, _ = read(official)
    shutil.make_archive(str(official / "texts"), "zip", official, "texts")
    shutil.rmtree(official / "texts")
    zipped, _ = read(official)
    assert {name: clip.captions for name, clip in zipped.items()} == {
        name: clip.captions for name, clip in plain.items()
    }
    (official / "texts.zip").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InputError, match=r"texts\.zip.*Git LFS pointer"):
        read(official)


def test_a_name_in_two_splits_counts_once(official: Path):
    (official / "test.txt").write_text("000005\n000001\n")
    clips, skipped = read(official)
    assert clips["000001"].split == "train"
    assert [
        line for line in skipped if "test.txt:2: split: 000001 stands in train.txt already" in line
    ]
    with pytest.raises(InputError, match="list every clip once"):
        read(official, on_error="fail")


@pytest.mark.parametrize(
    ("value", "message"), [(0.0, "not positive"), (-1.0, "not positive"), (np.nan, "is nan")]
)
def test_statistics_that_cannot_divide_are_refused(official: Path, value: float, message: str):
    std = np.load(official / "Std.npy")
    std[17] = value
    np.save(official / "Std.npy", std)
    with pytest.raises(InputError, match=rf"Std\.npy: .*channel 17 .*{message}|{message}"):
        humanml3d.facts(settings(official), "config.yaml")
