from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import SETTINGS
from small_corpus import write_store

from motionrft.corpus.store import FeatureStore
from motionrft.errors import InputError
from motionrft.evaluation.evaluators.evaluator import (
    CacheReader,
    TextMotionMatch,
    Widths,
    corpus_digest,
    load_evaluator,
    save_evaluator,
)
from motionrft.evaluation.evaluators.official import (
    load_official,
    read_statistics,
    table_of,
    table_tensors,
)
from motionrft.evaluation.evaluators.train import same_caption, train_evaluator
from motionrft.evaluation.words import WordTable
from motionrft.files import read_tensors
from motionrft.motion.normaliser import Normaliser


def test_training_beats_chance_and_keeps_the_best_validated_weights(trained, store, text):
    path, history = trained
    top1 = history[history["name"] == "val/top1"]["value"]
    assert top1.max() > 6 / 32  # eight kinds of motion in groups of 32: 4 alike, so 0.25 at best
    score = history[history["name"] == "val/score"]["value"]
    evaluator, about, _ = load_evaluator(path, corpus=corpus_digest(FeatureStore(store)))
    assert about["label"] == "self-trained"
    assert score.max() >= score.iloc[-1]
    assert not evaluator.training


def test_training_is_a_function_of_the_seed_and_resumes(
    store, text, trained, tmp_path, monkeypatch
):
    first, _ = read_tensors(trained[0])
    # killed after the checkpoint of step 50
    import motionrft.training.loop as loop

    genuine, seen = loop.step_generator, []

    def killed(seed, step, device="cpu"):
        seen.append(step)
        if step == 52 and seen.count(52) == 1:
            raise KeyboardInterrupt
        return genuine(seed, step, device)

    monkeypatch.setattr(loop, "step_generator", killed)
    with pytest.raises(KeyboardInterrupt):
        train_evaluator(SETTINGS, store, text, tmp_path / "checkpoint", "cpu")
    evaluator, _, _ = train_evaluator(SETTINGS, store, text, tmp_path / "checkpoint", "cpu")
    assert seen[-1] == 59
    assert seen.count(50) == 2
    for name, tensor in evaluator.state_dict().items():
        assert torch.equal(tensor, first[name]), name


def test_margin_loss_trains_and_an_unknown_loss_is_refused(store, text, tmp_path):
    settings = {**SETTINGS, "loss": "margin", "train": {**SETTINGS["train"], "steps": 3}}
    _, _, history = train_evaluator(settings, store, text, tmp_path / "c", "cpu")
    assert {"positive", "negative"} <= set(history["name"])
    with pytest.raises(InputError, match="unknown loss 'triplet'"):
        train_evaluator({**settings, "loss": "triplet"}, store, text, tmp_path / "d", "cpu")


def test_another_corpus_is_refused_unless_told(trained):
    with pytest.raises(
        InputError, match=r"trained on corpus .* asked to judge corpus 000000000000"
    ):
        load_evaluator(trained[0], corpus="000000000000")
    load_evaluator(trained[0], corpus=None)


def test_the_corpus_digest_names_clips_and_statistics(tmp_path):
    one, same, other = (
        corpus_digest(FeatureStore(write_store(tmp_path / name, train=4, held=2, seed=seed)))
        for name, seed in (("one", 0), ("same", 0), ("other", 1))
    )
    assert one == same != other


def test_a_foreign_file_and_another_shape_are_one_clear_error(trained, text, tmp_path):
    with pytest.raises(InputError, match="not an evaluator file"):
        load_evaluator(text.path)
    _, about, _ = load_evaluator(trained[0])
    wrong = TextMotionMatch(
        Widths(8, 8, 8, 8, 4), Normaliser(torch.zeros(263), torch.ones(263)), word=8
    )
    save_evaluator(tmp_path / "wrong.safetensors", wrong, about)
    with pytest.raises(InputError, match="shape"):
        load_evaluator(tmp_path / "wrong.safetensors")


def test_the_cache_reader_counts_real_tokens(text):
    words, pos, lengths = CacheReader(text)(["a person will walk", "someone does run"])
    assert pos is None
    assert lengths.tolist() == [5, 4]
    assert words.shape == (2, 5, 8)


def test_same_caption():
    assert same_caption(["a", "b", "a"]).int().tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]


@pytest.fixture
def release(tmp_path):
    """A small checkpoint in the official layout, with its statistics."""
    torch.manual_seed(0)
    source = TextMotionMatch(
        Widths(6, 5, 7, 4, 3), Normaliser(torch.randn(20), torch.rand(20) + 0.5), word=9, pos=15
    ).eval()
    state = {
        name: getattr(source, name).state_dict()
        for name in ("movement_encoder", "motion_encoder", "text_encoder")
    }
    torch.save(
        {**state, "opt_text_encoder": {"lr": 1.0}, "epoch": 3, "iter": 9}, tmp_path / "finest.tar"
    )
    np.save(tmp_path / "mean.npy", source.normaliser.mean.double().numpy())
    np.save(tmp_path / "std.npy", source.normaliser.std.double().numpy())
    return tmp_path, source


def test_the_official_file_loads_by_its_own_shapes(release):
    folder, source = release
    normaliser = read_statistics(folder / "mean.npy", folder / "std.npy")
    loaded, build, report = load_official(folder / "finest.tar", normaliser)
    motions = [torch.randn(12, 20), torch.randn(30, 20)]
    assert torch.allclose(loaded.embed_motions(motions), source.embed_motions(motions), atol=1e-6)
    assert build["widths"] == vars(Widths(6, 5, 7, 4, 3))
    assert report.ignored == ["epoch", "iter", "opt_text_encoder"]
    assert "motion_encoder.gru.weight_ih_l0_reverse" in report.matched


def test_official_files_that_do_not_fit(release):
    folder, _ = release
    normaliser = read_statistics(folder / "mean.npy", folder / "std.npy")
    other = Normaliser(torch.zeros(30), torch.ones(30))
    with pytest.raises(InputError, match="reads 16 channels, 30 statistics give 26"):
        load_official(folder / "finest.tar", other)
    state = torch.load(folder / "finest.tar", weights_only=True)
    del state["motion_encoder"]["hidden"]
    torch.save(state, folder / "cut.tar")
    with pytest.raises(InputError, match=r"motion_encoder.hidden: tensor missing"):
        load_official(folder / "cut.tar", normaliser)
    del state["text_encoder"]
    torch.save(state, folder / "cut.tar")
    with pytest.raises(InputError, match="text_encoder: no such part"):
        load_official(folder / "cut.tar", normaliser)
    (folder / "cut.tar").write_bytes((folder / "finest.tar").read_bytes()[:2000])
    with pytest.raises(InputError, match="not a checkpoint of plain tensors"):
        load_official(folder / "cut.tar", normaliser)
    with pytest.raises(InputError, match="no such file"):
        load_official(folder / "none.tar", normaliser)
    np.save(folder / "std.npy", np.zeros(20))
    with pytest.raises(InputError, match="do not fit"):
        read_statistics(folder / "mean.npy", folder / "std.npy")


def test_a_word_table_survives_the_evaluator_file():
    table = WordTable(["sos", "unk", "é"], torch.randn(3, 4))
    again = table_of(table_tensors(table))
    assert again.words == table.words
    assert torch.equal(again.vectors, table.vectors)
