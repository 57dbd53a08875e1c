"""The length estimator of the T2M protocol: the released network, the way lengths are drawn, its use."""

from __future__ import annotations

import shutil

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from motionrft.corpus.store import FeatureStore
from motionrft.errors import InputError
from motionrft.evaluation.evaluator_file import SELF_TRAINED, corpus_digest, save_evaluator
from motionrft.evaluation.evaluators.t2m.model import TextMotionMatch, Widths
from motionrft.evaluation.lengths import LengthEstimator, Lengths, estimator_tensors, read_estimator
from motionrft.evaluation.scorer import Scorer
from motionrft.evaluation.settings import protocol
from motionrft.evaluation.words import POS, GloveReader, WordTable, table_tensors
from motionrft.files import read_table, write_table
from motionrft.motion.skeleton import SKELETONS

WORD, HIDDEN, HEAD, UNITS = 3, 8, 16, 50


@pytest.fixture
def network():
    torch.manual_seed(0)
    return LengthEstimator(WORD, len(POS), HIDDEN, HEAD, UNITS).double().eval()


@pytest.fixture
def reader():
    words = WordTable(["sos", "eos", "unk", "walk"], torch.randn(4, WORD))
    return GloveReader(words, {"one": ["walk/VERB"], "two": ["unk/NOUN", "walk/VERB"]})


def settle(network: LengthEstimator, logits: dict[int, float]) -> LengthEstimator:
    """The network with these logits, and no chance for other numbers of units, whatever the caption."""
    last = network.output[-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(-torch.inf)
        for unit, value in logits.items():
            last.bias[unit] = value
    return network


def test_the_network_is_the_published_one_row_by_row(network):
    """Two directions of one GRU from a learned state, each row alone; Linear, LayerNorm, LeakyReLU three times."""
    words = torch.randn(3, 5, WORD, dtype=torch.float64)
    pos = F.one_hot(torch.randint(len(POS), (3, 5)), len(POS)).double()
    lengths = torch.tensor([2, 5, 3])
    state = network.state_dict()
    for row, length in enumerate(lengths.tolist()):
        x = (
            F.linear(pos[row, :length], state["pos_emb.weight"], state["pos_emb.bias"])
            + words[row, :length]
        )
        x = F.linear(x, state["input_emb.weight"], state["input_emb.bias"])
        ends = []
        for place, suffix in enumerate(("", "_reverse")):
            cell = nn.GRUCell(HIDDEN, HIDDEN).double()
            cell.load_state_dict(
                {name: state[f"gru.{name}_l0{suffix}"] for name in cell.state_dict()}
            )
            h = state["hidden"][place]
            for token in x.flip(0) if suffix else x:
                h = cell(token[None], h)
            ends.append(h)
        y = torch.cat(ends, dim=-1)
        for first in (0, 3, 6):
            y = F.linear(y, state[f"output.{first}.weight"], state[f"output.{first}.bias"])
            width = y.shape[-1:]
            y = F.layer_norm(
                y, width, state[f"output.{first + 1}.weight"], state[f"output.{first + 1}.bias"]
            )
            y = F.leaky_relu(y, 0.2)
        y = F.linear(y, state["output.9.weight"], state["output.9.bias"])
        found = network(words, pos, lengths)[row]
        torch.testing.assert_close(found, y[0], rtol=1e-10, atol=1e-10)
    assert [state[f"output.{layer}.weight"].shape[0] for layer in (0, 3, 6, 9)] == [16, 8, 4, UNITS]


def test_a_released_file_is_read_whole(network, tmp_path):
    path = tmp_path / "latest.tar"
    torch.save({"estimator": network.float().state_dict(), "epoch": 3}, path)
    read = read_estimator(path)
    for name, value in network.state_dict().items():
        assert read.state_dict()[name].equal(value), name
    state = network.state_dict()
    del state["output.9.bias"]
    torch.save({"estimator": state}, path)
    with pytest.raises(InputError, match=r"latest\.tar.*output\.9\.bias: tensor missing"):
        read_estimator(path)
    torch.save({"text_encoder": {}}, path)
    with pytest.raises(InputError, match=r"latest\.tar.*estimator: no such part"):
        read_estimator(path)


def test_short_lengths_are_drawn_again_twice_and_then_stand(network, reader):
    """P(short) is (1/2)^3 after three draws of a fair coin between 5 and 20 units."""
    draw = Lengths(settle(network.float(), {5: 0.0, 20: 0.0}), reader, "smpl22")
    found = draw(["one"] * 4000, range(4000))
    assert set(found.tolist()) == {20, 80}
    short = float((found == 20).double().mean())
    assert abs(short - 1 / 8) < 4 * (1 / 8 * 7 / 8 / 4000) ** 0.5
    # KIT's motions may be as short as six units: seven is not drawn again
    kit = Lengths(settle(network, {7: 0.0, 20: 0.0}), reader, "kit21")
    assert abs(float((kit(["one"] * 4000, range(4000)) == 28).double().mean()) - 1 / 2) < 0.04
    assert draw(["two", "one"], [7, 8]).tolist() == draw(["one", "one"], [7, 8]).tolist()
    assert Lengths(settle(network, {0: 0.0}), reader, "smpl22")(["one"], [0]).tolist() == [4]


def test_every_skeleton_has_a_shortest_length(network, reader):
    for skeleton in SKELETONS:
        assert Lengths(settle(network.float(), {30: 0.0}), reader, skeleton)(
            ["one"], [0]
        ).tolist() == [120]


def test_the_protocol_asks_a_model_for_drawn_lengths_and_no_other_does(
    network, reader, store, tmp_path
):
    folder = shutil.copytree(store, tmp_path / "features")
    clips, about = read_table(folder / "clips.parquet")
    clips["tokens"] = [["unk/NOUN"] * len(captions) for captions in clips["captions"]]
    write_table(folder / "clips.parquet", clips, about)
    file = tmp_path / "model.safetensors"
    corpus = FeatureStore(folder)
    widths = Widths(8, 8, 8, 8, 8)
    build = {"widths": vars(widths), "word": WORD, "pos": len(POS), "channels": "all but contacts"}
    match = TextMotionMatch(widths, corpus.normaliser("kinematic"), word=WORD, pos=len(POS))
    settle(network.float(), {11: 0.0})
    extra = table_tensors(reader.table) | estimator_tensors(network)
    facts = {"label": SELF_TRAINED, "corpus": corpus_digest(corpus), "build": build}
    save_evaluator(file, match, facts, extra)
    few = {"texts": 2, "repeats": 3, "pairs": 2, "replications": 1}

    def asked(name):
        calls = []

        def source(captions, lengths, seeds):
            calls.append(lengths.tolist())
            return [torch.randn(int(length), 263) for length in lengths]

        scorer = Scorer(
            folder, file, None, protocol(name, group=16, min_frames=20, multimodality=few)
        )
        result = scorer.score(source, "kinematic", "made", 0)
        return calls, [len(motion) for motion in result.samples.features], scorer.draw(0).lengths

    calls, kept, reference = asked("t2m")
    assert {length for call in calls for length in call} == {44}
    assert len(calls) == 2  # the prompts, and the repeats of MultiModality
    assert set(kept) == {44}
    calls, kept, reference = asked("mdm")
    assert kept == reference.tolist()[: len(kept)]
