from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import torch

from motionrft.errors import InputError
from motionrft.evaluation.words import (
    POS,
    GloveReader,
    WordTable,
    caption_tokens,
    framed,
    pos_index,
    read_glove,
    table_of,
    table_tensors,
)

WORDS = ["sos", "eos", "unk", "walk", "slowly", "the"]


@pytest.fixture
def glove(tmp_path):
    np.save(tmp_path / "our_vab_data.npy", np.arange(18, dtype=np.float64).reshape(6, 3))
    (tmp_path / "our_vab_words.pkl").write_bytes(pickle.dumps(WORDS))
    (tmp_path / "our_vab_idx.pkl").write_bytes(pickle.dumps({w: i for i, w in enumerate(WORDS)}))
    return tmp_path


def test_tags():
    assert POS[pos_index("walk", "NOUN", True)] == "Act_VIP"
    assert POS[pos_index("walk", "NOUN", False)] == "OTHER"
    assert POS[pos_index("something", "PRON", True)] == "PRON"
    assert POS[pos_index("to", "PART", True)] == "OTHER"
    # in the lists of both directions and actions: the first list decides
    assert POS[pos_index("left", "VERB", True)] == "Loc_VIP"


def test_sentences_are_framed_and_padded(glove):
    table = read_glove(glove)
    vectors, tags, lengths = table.lookup(
        [framed(["walk/VERB", "zzz/NOUN"]), framed(["the/DET"] * 30)]
    )
    assert vectors.shape == (2, 22, 3)
    assert tags.shape == (2, 22, 15)
    assert lengths.tolist() == [4, 22]
    assert vectors[0, :4].tolist() == [[0, 1, 2], [9, 10, 11], [6, 7, 8], [3, 4, 5]]
    assert vectors[0, 4:].eq(torch.tensor([6.0, 7.0, 8.0])).all()
    assert tags[0].argmax(-1).tolist()[:4] == [14, 12, 14, 14]
    assert tags.sum(-1).eq(1).all()
    assert vectors[1, 21].tolist() == [3, 4, 5]


def test_reader_takes_the_corpus_tokens_and_names_a_caption_without(glove):
    clips = pd.DataFrame(
        {"captions": [["a walk", "walking"]], "tokens": [["a/DET walk/NOUN", "walk/VERB"]]}
    )
    reader = GloveReader(read_glove(glove), caption_tokens(clips))
    assert reader(["walking", "a walk"])[2].tolist() == [3, 4]
    with pytest.raises(InputError, match="'jump' has no tagged words"):
        reader(["jump"])
    assert caption_tokens(clips.drop(columns="tokens")) == {}


def test_bad_files_are_one_clear_line(glove):
    (glove / "our_vab_idx.pkl").write_bytes(pickle.dumps(np.zeros(3)))
    with pytest.raises(InputError, match="not a plain word list"):
        read_glove(glove)
    (glove / "our_vab_idx.pkl").unlink()
    with pytest.raises(InputError, match=r"our_vab_idx.pkl: no such file"):
        read_glove(glove)
    (glove / "our_vab_idx.pkl").write_bytes(pickle.dumps({w: i for i, w in enumerate(WORDS)}))
    (glove / "our_vab_words.pkl").write_bytes(pickle.dumps(["sos", "eos"]))
    with pytest.raises(InputError, match="'unk' needed"):
        read_glove(glove)


def test_a_word_table_survives_the_evaluator_file():
    table = WordTable(["sos", "unk", "é"], torch.randn(3, 4))
    again = table_of(table_tensors(table))
    assert again.words == table.words
    assert torch.equal(again.vectors, table.vectors)
