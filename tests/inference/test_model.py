"""Motions from a model file alone: what it needs is found, draws are reproducible, mistakes are told."""

import shutil

import numpy as np
import pytest
import torch

import motionrft
from motionrft.backbones.generate import generate
from motionrft.backbones.io import load_backbone, save_backbone
from motionrft.cli import main
from motionrft.errors import InputError
from motionrft.text.features import TextCache
from motionrft.text.synthetic_encoder import make_encoder
from tests.same import sampled

WALK, WAVE = "a person walks forward", "a person waves with the left hand"


@pytest.fixture(scope="module")
def model(model_file):
    return motionrft.load_model(model_file)


def test_a_caption_of_the_corpus_gives_what_the_cache_gives(run, model, model_file):
    cache = TextCache(run / "text" / "toy.safetensors")
    caption = cache.captions[3]
    [made] = model.generate([caption], seconds=2.0, seed=4)
    backbone, about = load_backbone(model_file)
    [expected] = generate(
        backbone, about["backbone"]["sampler"], [caption], torch.tensor([40]), [made.about["noise"]], cache
    )  # fmt: skip
    torch.testing.assert_close(
        made.features, expected, **sampled(model.backbone, about["backbone"]["sampler"])
    )
    assert made.joints.shape == (40, 22, 3)
    assert made.seconds == 2.0


def test_a_motion_depends_on_its_place_and_the_seed_alone(model):
    within = sampled(model.backbone, model.about["backbone"]["sampler"], frames=48)
    both = model.generate([WAVE, WALK], seconds=2.4, seed=1)
    [alone] = model.generate([WAVE], seconds=2.4, seed=1)
    torch.testing.assert_close(both[0].joints, alone.joints, **within)
    assert [motion.caption for motion in both] == [WAVE, WALK]
    [other] = model.generate([WAVE], seconds=2.4, seed=2)
    assert not torch.equal(other.joints, alone.joints)
    assert torch.equal(model.generate([WAVE], seconds=2.4, seed=2)[0].joints, other.joints)
    twice = model.generate([WAVE], seconds=2.4, seed=1, count=2)
    torch.testing.assert_close(twice[0].joints, alone.joints, **within)
    assert not torch.equal(twice[1].joints, alone.joints)


def test_drawn_lengths_are_those_of_training_clips(run, model):
    store = motionrft.FeatureStore(run / "features")
    frames = store.clips.loc[store.clips["split"] == "train", "frames"]
    drawn = np.array(model.frames(None, 0, 300))
    assert (drawn % 4 == 0).all()
    assert frames.min() - 4 < drawn.min()
    assert drawn.max() <= frames.max()
    assert abs(drawn.mean() - (frames // 4 * 4).mean()) < 1.0
    assert model.frames(None, 0, 3) == drawn[:3].tolist()


def test_guidance_and_steps_change_the_sampler(model):
    [plain] = model.generate([WAVE], seconds=2.0)
    [strong] = model.generate([WAVE], seconds=2.0, guidance=5.0)
    [short] = model.generate([WAVE], seconds=2.0, steps=2)
    assert not torch.equal(plain.joints, strong.joints)
    assert not torch.equal(plain.joints, short.joints)
    assert short.about["sampler"]["steps"] == 2
    assert model.sampler()["steps"] == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"seconds": 60.0}, "choose from 0.2 to 9.8"),
        ({"seconds": 0.1}, "choose from 0.2 to 9.8"),
        ({"steps": 51}, "choose from 1 to 50"),
    ],
)
def test_what_the_model_cannot_make_is_told(model, wrong, message):
    with pytest.raises(InputError, match=message):
        model.generate([WAVE], **wrong)


@pytest.mark.parametrize("sentences", [[], [""], ["one\ntwo"]])
def test_no_sentence_is_told(model, sentences):
    with pytest.raises(InputError, match="sentence"):
        model.generate(sentences)


def test_words_it_does_not_know_are_told(model, caplog):
    assert model.encoder.unknown_words([WAVE]) == []
    model.generate(["a person zigzags, forward"], seconds=0.4)
    assert "does not know: zigzags" in caplog.text
    assert "and knows: " in caplog.text
    assert " waves " in caplog.text
    assert "unk" not in caplog.text


def test_lengths_that_no_training_clip_had_are_told(model, caplog):
    shortest, *_, longest = model.about["corpus"]["frames"]
    for seconds in (shortest / model.fps, longest / model.fps):
        model.frames(seconds, 0, 1)
    assert not caplog.text
    model.frames(9.0, 0, 1)
    assert "9 seconds: the clips it was trained on have" in caplog.text


def test_a_file_that_left_its_run_needs_its_encoder(run, model_file, tmp_path):
    moved = shutil.copy(model_file, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="--encoder"):
        motionrft.load_model(moved)
    model = motionrft.load_model(moved, encoder=run / "text" / "toy")
    assert model.generate([WAVE], seconds=0.4)[0].joints.isfinite().all()


def test_another_encoder_is_refused(model_file, tmp_path):
    make_encoder(tmp_path / "toy", ["", "a person walks", "someone runs"], seed=1)
    with pytest.raises(InputError, match="not the text encoder 'toy' that the model was trained"):
        motionrft.load_model(model_file, encoder=tmp_path / "toy")


@pytest.mark.parametrize("missing", ["text_encoder", "corpus"])
def test_a_file_that_does_not_say_where_it_comes_from(model_file, tmp_path, missing):
    backbone, about = load_backbone(model_file)
    del about[missing]
    save_backbone(tmp_path / "old.safetensors", backbone, about)
    with pytest.raises(InputError, match=missing.replace("_", " ")):
        motionrft.load_model(tmp_path / "old.safetensors")


def test_steps_of_a_sampler_that_names_them(model):
    model.about["backbone"]["sampler"]["respacing"] = "ddim4"
    try:
        with pytest.raises(InputError, match="respacing"):
            model.sampler(steps=2)
    finally:
        del model.about["backbone"]["sampler"]["respacing"]


def test_an_imported_model_says_where_its_text_comes_from(run, model_file, model):
    official, imported = run / "official.pt", run / "backbones" / "mdm" / "imported.safetensors"
    assert main(["export", "--model", str(model_file), "--out", str(official)]) == 0
    words = ["--config", str(run / "config.yaml"), "--backbone", "mdm", "--out", str(imported)]
    words += ["--features", str(run / "features"), "--text", str(run / "text" / "toy.safetensors")]
    assert main(["import", *words, "--checkpoint", str(official)]) == 0
    [again] = motionrft.load_model(imported).generate([WAVE], seconds=2.0)
    [made] = model.generate([WAVE], seconds=2.0)
    assert torch.equal(again.joints, made.joints)
