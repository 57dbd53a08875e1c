"""`text` on a fake encoder: what its section asks for is stored, and a killed job goes on."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from motionrft.cli import main
from motionrft.cli.options import RunFile
from motionrft.text.features import TextBatch, TextCache

CAPTIONS = ["", *(f"caption {number}" for number in range(599))]


class Encoder(nn.Module):
    """3 and 5 wide; counts its batches and is killed before the one it is told."""

    def __init__(self, dies: int = 99):
        super().__init__()
        self.batches, self.dies = 0, dies

    def forward(self, captions):
        if self.batches == self.dies:
            raise KeyboardInterrupt
        self.batches += 1
        rows = torch.tensor([float(CAPTIONS.index(caption)) for caption in captions])
        mask = torch.ones(len(captions), 2, dtype=torch.bool)
        tokens = rows[:, None, None].expand(-1, 2, 5) / 7
        return TextBatch(rows[:, None].expand(-1, 3), tokens, mask, mask.sum(1) - 1)


@pytest.fixture
def encode(monkeypatch, tmp_path):
    """encode(encoder, **section) -> exit status; the file is text.safetensors."""

    class Corpus:
        def __init__(self, folder):
            pass

        def captions(self):
            return CAPTIONS

    monkeypatch.setattr("motionrft.corpus.store.Corpus", Corpus)

    def run(encoder, **section):
        section = {"kind": "clip", "source": "somewhere", **section}
        monkeypatch.setattr(RunFile, "load", lambda run: {"text": {"fake": section}})
        monkeypatch.setattr("motionrft.text.kinds.open_encoder", lambda *_: encoder)
        out = str(tmp_path / "text.safetensors")
        return main(["text", "--corpus", "c", "--name", "fake", "--device", "cpu", "--out", out])

    return run


def test_a_killed_job_encodes_the_rest_alone(encode, tmp_path, capsys):
    path = tmp_path / "text.safetensors"
    assert encode(Encoder(dies=2)) == 130
    assert not path.exists()
    again = Encoder()
    assert encode(again) == 0
    assert again.batches == 1  # of three of up to 256
    assert "going on after 512 of 600 captions" in capsys.readouterr().out
    cache = TextCache(path)
    assert cache.about["name"] == "fake"
    assert "provenance" in cache.about
    read = cache(CAPTIONS)
    assert torch.equal(read.pooled, Encoder()(CAPTIONS).pooled)
    assert torch.equal(read.tokens, Encoder()(CAPTIONS).tokens)


def test_a_section_says_what_is_stored(encode, tmp_path):
    path = tmp_path / "text.safetensors"
    assert encode(Encoder(), keep="pooled") == 0
    assert path.stat().st_size < 100_000
    assert TextCache(path, tokens=False)(["caption 7"]).pooled[0, 0] == 8
    assert encode(Encoder(), stored="float16") == 0
    exact = Encoder()(["caption 7"]).tokens
    assert torch.equal(TextCache(path)(["caption 7"]).tokens, exact.half().float())


def test_widths_that_are_not_those_of_the_features_are_refused(encode, tmp_path, capsys):
    assert encode(Encoder(), widths={"pooled": 3, "tokens": 5}) == 0
    assert encode(Encoder(), widths={"pooled": 4, "tokens": 5}) == 2
    assert "text.fake.widths" in capsys.readouterr().err
