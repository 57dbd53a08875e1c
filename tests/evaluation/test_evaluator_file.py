from __future__ import annotations

import pytest
import torch
from small_corpus import write_store

from motionrft.corpus.store import FeatureStore
from motionrft.errors import InputError
from motionrft.evaluation.evaluator_file import corpus_digest, load_evaluator, save_evaluator
from motionrft.evaluation.evaluators.t2m.model import TextMotionMatch, Widths
from motionrft.motion.normaliser import Normaliser


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
