"""ACMDM's CLIP-score: the official file's names, the token ids of captions, and the row of the table."""

import json
import pickle
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SETTINGS
from transformers import CLIPTokenizer

from motionrft.cli import main
from motionrft.cli.options import RunFile
from motionrft.errors import InputError
from motionrft.evaluation.clip_score import read_motionclip, token_ids
from motionrft.evaluation.convert import Converter
from motionrft.evaluation.evaluators.t2m.model import TextMotionMatch, Widths
from motionrft.evaluation.motionclip import MotionCLIP
from motionrft.evaluation.scorer import Scorer
from motionrft.evaluation.settings import protocol
from motionrft.evaluation.words import PREFIX
from motionrft.files import read_table, write_table
from motionrft.motion.normaliser import Normaliser
from reference.tolerance import rounding

TOKENS = 9


def byte_letters() -> list[str]:
    """The 256 letters that CLIP's tokeniser writes bytes with."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [
        chr(b) if b in plain else chr(256 + n)
        for n, b in enumerate(sorted(range(256), key=lambda b: (b in plain, b)))
    ]


@pytest.fixture
def release(tmp_path, store):
    """Small files in the official layouts: both checkpoints, statistics, words and a tokeniser without merges."""
    torch.manual_seed(0)
    scorer = TextMotionMatch(
        Widths(6, 5, 7, 4, 3),
        Normaliser(torch.zeros(263), torch.ones(263)),
        word=9,
        pos=15,
        channels="first 67",
    )
    parts = ("movement_encoder", "motion_encoder", "text_encoder")
    torch.save(
        {part: getattr(scorer, part).state_dict() for part in parts}, tmp_path / "finest.tar"
    )
    letters = byte_letters()
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    network = MotionCLIP(
        width=16, heads=8, feedforward=24, layers=2, vocabulary=len(words), tokens=TOKENS
    ).eval()
    torch.nn.init.normal_(network.positional_embedding)
    torch.save({"contrast_model": network.state_dict()}, tmp_path / "clip.tar")
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer/vocab.json").write_text(
        json.dumps({word: n for n, word in enumerate(words)})
    )
    (tmp_path / "tokenizer/merges.txt").write_text("#version: 0.2\n")
    np.save(tmp_path / "mean.npy", np.random.default_rng(0).normal(size=67))
    np.save(tmp_path / "std.npy", np.full(67, 0.7))
    np.save(tmp_path / f"{PREFIX}_data.npy", np.zeros((1, 9)))
    (tmp_path / f"{PREFIX}_words.pkl").write_bytes(pickle.dumps(["unk"]))
    (tmp_path / f"{PREFIX}_idx.pkl").write_bytes(pickle.dumps({"unk": 0}))
    return tmp_path, network, len(words)


def test_the_official_sizes_have_the_official_names_and_shapes():
    with torch.device("meta"):
        names = MotionCLIP().state_dict()
    recorded = json.loads(Path(__file__).with_name("motionclip_shapes.json").read_text())
    shapes = {re.sub(r"layers\.\d+", "layers.*", key): list(v.shape) for key, v in names.items()}
    counts = Counter(re.sub(r"layers\.\d+", "layers.*", key) for key in names)
    assert {key: [counts[key], shape] for key, shape in shapes.items()} == recorded
    assert sum(value.numel() for value in names.values()) == 60567553


def test_ids_are_openais(release):
    folder, _, words = release
    ids = token_ids(
        ["Ab", "abcdefghijkl"], CLIPTokenizer.from_pretrained(folder / "tokenizer"), TOKENS
    )
    start, end = words - 2, words - 1
    letter = {c: byte_letters().index(c) for c in "abcdefg"}
    # lower case, the last letter closes the word, zeros after the end token
    assert ids[0].tolist() == [start, letter["a"], 256 + letter["b"], end, 0, 0, 0, 0, 0]
    assert ids[1].tolist() == [start, *(letter[c] for c in "abcdefg"), end]


@pytest.fixture
def tagged(store, tmp_path):
    """The small corpus with a tagged word for each caption, as HumanML3D's texts have."""
    folder = shutil.copytree(store, tmp_path / "features")
    clips, about = read_table(folder / "clips.parquet")
    clips["tokens"] = [["unk/NOUN"] * len(captions) for captions in clips["captions"]]
    write_table(folder / "clips.parquet", clips, about)
    return folder


def test_the_row_is_the_mean_cosine_of_pairs(release, tagged, text, monkeypatch, tmp_path):
    folder, network, _ = release
    section = {
        **SETTINGS, "checkpoint": "finest.tar", "mean": "mean.npy", "std": "std.npy", "glove": ".",
        "channels": "first 67", "clip_checkpoint": "clip.tar", "clip_tokenizer": "tokenizer",
    }  # fmt: skip
    monkeypatch.chdir(folder)
    monkeypatch.setattr(RunFile, "load", lambda run: {"evaluator": section})
    out = tmp_path / "model.safetensors"
    call = ["train-evaluator", "--features", str(tagged), "--device", "cpu", "--out", str(out)]
    assert main(call) == 0
    rules = protocol("acmdm", group=16, min_frames=20, multimodality={"texts": 0})
    result = Scorer(tagged, out, text, rules).score_real(0)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    inputs = Converter("kinematic", {}).acmdm_features(result.samples.features, 196)
    mean, cosine = torch.from_numpy(np.load(folder / "mean.npy")).float(), []
    for caption, motion in zip(result.samples.captions, inputs, strict=True):
        with torch.no_grad():
            moved = network.encode_motions((motion - mean)[None] / 0.7, torch.tensor([len(motion)]))
            said = network.encode_texts(token_ids([caption], tokenizer, TOKENS).long())
        cosine.append(float((moved * said).sum()))
    assert len(cosine) == 32
    assert result.metrics["CLIP-score"] == pytest.approx(
        np.mean(cosine), abs=rounding(network)["atol"]
    )
    section["channels"] = "all but contacts"
    assert main(call) == 2


def test_a_file_without_the_network_is_named(tmp_path):
    torch.save({"movement_encoder": {}}, tmp_path / "finest.tar")
    with pytest.raises(InputError, match=r"finest\.tar.*contrast_model: no such part"):
        read_motionclip(tmp_path / "finest.tar")
