"""The toy corpus: rigid bones, planted feet, honest captions, the same bytes from the same seed."""

import numpy as np
import pytest

from motionrft.corpus.kinds.toy import ACTIONS, CORPUS, make_clip
from motionrft.corpus.report import Report
from motionrft.corpus.store import Corpus, write_corpus
from motionrft.errors import InputError

SETTINGS = {"kind": "toy", "clips": 60, "seed": 3}
PARENTS = [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19]
CLIPS = [make_clip(index, SETTINGS) for index in range(150)]


def test_every_action_is_drawn():
    assert {action for _, _, action in CLIPS} == set(ACTIONS)
    assert len(ACTIONS) >= 12


def test_bones_are_rigid_and_feet_stay_above_the_floor():
    for joints, _, action in CLIPS:
        bones = np.linalg.norm(joints[:, 1:] - joints[:, PARENTS], axis=-1)
        assert np.ptp(bones, axis=0).max() < 1e-5, action
        assert joints[:, :, 1].min() > 0.0, action


def test_planted_feet_do_not_skate():
    for joints, _, action in CLIPS:
        for ankle in (7, 8):
            height = joints[:, ankle, 1]
            planted = height < height.min() + 1e-3
            both = planted[1:] & planted[:-1]
            slip = np.linalg.norm(np.diff(joints[:, ankle][:, [0, 2]], axis=0), axis=-1)[both]
            if len(slip):
                assert np.median(slip) < 1e-3, action


def facing_frame(joints):
    """Joints turned so that the first frame faces +Z over the origin."""
    across = joints[0, 1] - joints[0, 2]
    c, s = across[0], across[2]
    n = np.hypot(c, s)
    turned = joints @ (np.array([[c, 0, -s], [0, n, 0], [s, 0, c]]) / n)
    return turned - turned[0, 0] * [1, 0, 1]


def test_captions_name_the_side_that_moves():
    seen = 0
    for joints, captions, action in CLIPS:
        text = " ".join(captions)
        if action == "kick":
            side = "left" if "left" in text else "right"
            foot, other = (10, 11) if side == "left" else (11, 10)
            assert joints[:, foot, 1].max() > joints[:, other, 1].max() + 0.1
            seen += 1
        if action == "sidestep":
            moved = facing_frame(joints)[-1, 0, 0]
            assert (moved > 0.2) == ("left" in text)
            seen += 1
        if action == "turn":
            pelvis = facing_frame(joints)
            across = pelvis[len(pelvis) // 2 + 3, 1] - pelvis[len(pelvis) // 2 + 3, 2]
            assert (across[2] < 0) == ("left" in text)
            seen += 1
    assert seen > 15


def test_captions_name_the_count():
    peaks = {"once": 1, "twice": 2, "three times": 3}
    seen = 0
    for joints, captions, action in CLIPS:
        if action != "jump":
            continue
        count = next(number for word, number in peaks.items() if captions[0].endswith(f"{word}."))
        airborne = joints[:, [10, 11], 1].min(1) > joints[:, [10, 11], 1].min() + 0.1
        takeoffs = int((np.diff(airborne.astype(int)) == 1).sum())
        assert takeoffs == count, captions
        seen += 1
    assert seen >= 3


def test_same_seed_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_corpus(tmp_path / name, CORPUS(SETTINGS, "test", Report()), {"corpus": SETTINGS})
    assert (tmp_path / "a/motions.npy").read_bytes() == (tmp_path / "b/motions.npy").read_bytes()
    other = dict(SETTINGS, seed=4)
    write_corpus(tmp_path / "c", CORPUS(other, "test", Report()), {"corpus": other})
    assert (tmp_path / "a/motions.npy").read_bytes() != (tmp_path / "c/motions.npy").read_bytes()


def test_store_round_trip(tmp_path):
    write_corpus(tmp_path, CORPUS(SETTINGS, "test", Report()), {"corpus": SETTINGS})
    corpus = Corpus(tmp_path)
    assert len(corpus.clips) == 60
    assert set(corpus.clips["split"]) == {"train", "val", "test"}
    np.testing.assert_array_equal(corpus.joints(7), make_clip(7, SETTINGS)[0])
    assert list(corpus.clips["captions"][7]) == make_clip(7, SETTINGS)[1]
    assert corpus.captions()[0] == ""


def test_a_bad_length_range_is_one_clear_error():
    with pytest.raises(InputError, match=r"corpus\.frames.*Fix"):
        next(iter(CORPUS(dict(SETTINGS, frames=[90, 300]), "config/toy.yaml", Report())))


@pytest.fixture(scope="module")
def divided():
    settings = {
        "kind": "toy",
        "clips": 400,
        "seed": 1,
        "frames": [41, 45],
        "split": "compositional",
    }
    settings["splits"] = {"train": 0.75, "val": 0.1, "test": 0.15}
    report = Report()
    return settings, list(CORPUS(settings, "test", report))


def test_no_caption_of_a_compositional_test_split_is_in_training(divided):
    _, clips = divided
    captions = {name: set() for name in ("train", "val", "test")}
    for clip in clips:
        captions[clip.split] |= set(clip.captions)
        assert clip.captions
    assert not captions["test"] & (captions["train"] | captions["val"])
    assert captions["val"] & captions["train"]  # validation is of the same kind as training


def test_what_its_test_captions_are_made_of_is_in_training(divided):
    _, clips = divided
    trained = " ".join(
        caption for clip in clips if clip.split == "train" for caption in clip.captions
    )
    tested = {
        word for clip in clips if clip.split == "test" for c in clip.captions for word in c.split()
    }
    assert tested <= set(trained.split())


def test_its_parts_are_about_those_asked_for(divided):
    settings, clips = divided
    counts = {name: sum(clip.split == name for clip in clips) for name in settings["splits"]}
    # whole pairs: at least the part, at most one pair more
    assert 0.15 <= counts["test"] / 400 < 0.25
    rest = 400 - counts["test"]
    assert counts["val"] == pytest.approx(rest * 0.1 / 0.85, abs=1)


def test_motions_are_those_of_the_random_split(divided):
    settings, clips = divided
    for index in (0, 7):
        np.testing.assert_array_equal(clips[index].joints, make_clip(index, settings)[0])
