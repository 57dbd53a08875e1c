"""Scores of a person's motions: those of the reward itself, the percentile by its definition, what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch

import motionrft
from motionrft.cli import main
from motionrft.corpus.store import Corpus
from motionrft.errors import InputError
from motionrft.inference.captioned import captioned_motions
from motionrft.inference.reward import RECORDED
from motionrft.reward.motion_reward import MotionReward
from motionrft.text.features import TextCache
from reference.tolerance import rounding


@pytest.fixture(scope="module")
def scorer(reward_folder):
    return motionrft.load_reward(reward_folder)


@pytest.fixture(scope="module")
def clip(run):
    """The first test clip: its row, its joints as recorded, its caption."""
    corpus = Corpus(run / "corpus")
    row = int(np.flatnonzero(corpus.clips["split"] == "test")[0])
    caption = corpus.clips["captions"][row][0]
    return row, motionrft.Motion(torch.from_numpy(np.array(corpus.joints(row))), 20.0), caption


def direct(run, reward_folder, row, caption):
    """What MotionReward says of a clip of the feature store, by the cached text."""
    store = motionrft.FeatureStore(run / "features")
    files = {path.stem: path for path in reward_folder.glob("*.safetensors")}
    reward = MotionReward.load(files, {"semantic": 1.0, "preference": 1.0, "authenticity": 1.0})
    place = store.clips.iloc[row]
    raw = torch.from_numpy(
        np.array(store.features("kinematic")[place["start"] :][: place["frames"]])
    )
    lengths = torch.tensor([len(raw)])
    text = TextCache(run / "text" / "toy.safetensors")([caption])
    context = reward.context(text, None, lengths, "kinematic")
    return reward(store.normaliser("kinematic").normalise(raw)[None], lengths, context)


def test_a_recorded_clip_scores_as_the_reward_says(run, reward_folder, scorer, clip):
    row, motion, caption = clip
    [found] = scorer.score([motion], [caption]).to_dict("records")
    expected = direct(run, reward_folder, row, caption)
    within = rounding(scorer.reward)["atol"]
    for name in ("semantic", "preference", "authenticity"):
        assert found[name] == pytest.approx(float(expected[name][0]), abs=within)
    assert found["total"] == pytest.approx(found["semantic"] + 0.5 * found["preference"], abs=1e-6)
    assert found["representation"] == "kinematic"


def test_the_percentile_counts_recorded_motions_below(run, scorer, clip):
    _, motion, _ = clip
    table = scorer.score([motion, motion], ["a person walks forward", "a person waves"])
    recorded = scorer.recorded("kinematic")
    clips = motionrft.FeatureStore(run / "features").clips
    assert len(recorded) == min(RECORDED, (clips["split"] == "test").sum())
    for _, line in table.iterrows():
        below = (recorded["semantic"] < line["semantic"]).mean()
        assert line["semantic_percentile"] == pytest.approx(100 * below)


def test_generated_features_are_scored_as_they_are(model_file, scorer):
    [motion] = motionrft.load_model(model_file).generate(["a person walks forward"], seconds=2.0)
    kind, features = scorer.features(motion)
    assert (kind, features is motion.features) == ("kinematic", True)
    other = motionrft.Motion(
        motion.joints, 20.0, representation="kinematic", features=motion.features,
        about={"corpus": {"compat": "corrected"}},
    )  # fmt: skip
    assert len(scorer.features(other)[1]) == len(motion) - 1  # other numbers: extracted anew


def test_motions_of_another_kind_are_refused(scorer, clip):
    _, motion, caption = clip
    with pytest.raises(InputError, match="at 30 frames a second"):
        scorer.score([motionrft.Motion(motion.joints, 30.0)], [caption])
    with pytest.raises(InputError, match="at least 5 needed"):
        scorer.score([motionrft.Motion(motion.joints[:4], 20.0)], [caption])
    with pytest.raises(InputError, match="one sentence a motion"):
        scorer.score([motion], [])


def test_a_folder_with_a_table(reward_folder, clip, tmp_path, capsys):
    _, motion, _ = clip
    np.save(tmp_path / "a.npy", motion.joints.numpy())
    np.save(tmp_path / "b.npy", motion.joints[:30].numpy())
    (tmp_path / "captions.csv").write_text(
        "clip,caption\na,a person walks\nb.npy,someone waves, twice\n"
    )
    out = tmp_path / "scores.csv"
    assert main(["score", str(tmp_path), "--reward", str(reward_folder), "--csv", str(out)]) == 0
    table = pd.read_csv(out)
    assert table["motion"].tolist() == ["a.npy", "b.npy"]
    assert table["sentence"].tolist() == ["a person walks", "someone waves, twice"]
    assert "total" in capsys.readouterr().out
    (tmp_path / "captions.csv").write_text("clip,caption\nc,a person walks\n")
    with pytest.raises(InputError, match="no motion of clip 'c'"):
        captioned_motions(tmp_path)


def test_sentences_come_from_the_call_or_the_file(clip, tmp_path):
    _, motion, _ = clip
    np.save(tmp_path / "a.npy", motion.joints.numpy())
    assert captioned_motions(tmp_path / "a.npy", "he walks")[2] == ["he walks"]
    with pytest.raises(InputError, match="no sentence"):
        captioned_motions(tmp_path / "a.npy")
    with pytest.raises(InputError, match=r"no captions\.csv"):
        captioned_motions(tmp_path)
    motionrft.Motion(motion.joints, 20.0, caption="own").save(tmp_path / "m.npz")
    assert captioned_motions(tmp_path)[2] == ["own"]
    with pytest.raises(InputError, match="one sentence for a folder"):
        captioned_motions(tmp_path, "x")


def test_what_is_no_reward_folder(tmp_path, reward_folder):
    with pytest.raises(InputError, match="no reward file"):
        motionrft.load_reward(tmp_path)
