"""A text feature file as a stream: what it holds, what is left out, killed jobs, and the memory that writing takes."""

import subprocess
import sys

import pytest
import torch

from motionrft.configuration import ROOT
from motionrft.errors import InputError
from motionrft.files import read_tensors
from motionrft.text.cache_writer import CacheWriter, write_cache
from motionrft.text.features import TextBatch, TextCache
from reference.tolerance import rounding
from tests.reward.tiny import TOKENS, tiny_network

CAPTIONS = ["", "sits", "walks", "turns\u2028around", "jumps", "waves"]


def batch(captions):
    """Features that depend on the caption alone: as many tokens as it has letters, at least one; 3 and 5 wide."""
    lengths = torch.tensor([max(len(caption), 1) for caption in captions])
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    rows = torch.tensor([CAPTIONS.index(caption) + 1.0 for caption in captions])
    tokens = rows[:, None, None] + torch.arange(mask.shape[1] * 5).view(1, -1, 5) / 7
    return TextBatch(rows[:, None].expand(-1, 3) / 3, tokens, mask, lengths - 1)


def test_tokens_are_stored_without_padding_and_come_back_bit_for_bit(tmp_path):
    path = tmp_path / "text.safetensors"
    write_cache(path, CAPTIONS, [batch(CAPTIONS[:4]), batch(CAPTIONS[4:])], {"name": "fake"})
    tensors, about = read_tensors(path)
    assert about == {"name": "fake"}
    assert len(tensors["tokens"]) == sum(max(len(caption), 1) for caption in CAPTIONS)
    cache = TextCache(path)
    assert cache.captions == CAPTIONS
    for caption in CAPTIONS:
        read, wanted = cache([caption]), batch([caption])
        for name in ("pooled", "tokens", "mask", "eos"):
            assert torch.equal(getattr(read, name), getattr(wanted, name))
    assert list(tmp_path.iterdir()) == [path]


def test_pooled_vectors_alone(tmp_path):
    path = tmp_path / "text.safetensors"
    write_cache(path, CAPTIONS, [batch(CAPTIONS)], {}, tokens=False)
    cache = TextCache(path, tokens=False)
    assert (cache.pooled_dim, cache.token_dim) == (3, 5)
    read = cache(CAPTIONS[::-1])
    assert torch.equal(read.pooled, batch(CAPTIONS[::-1]).pooled)
    assert read.tokens.shape == (6, 0, 5)
    with pytest.raises(InputError, match=r"holds pooled vectors alone.*keep"):
        TextCache(path)
    with pytest.raises(InputError, match="holds pooled vectors alone"):
        cache.require_tokens()


def test_a_reader_of_pooled_vectors_reads_no_token_of_a_whole_file(tmp_path):
    path = tmp_path / "text.safetensors"
    write_cache(path, CAPTIONS, [batch(CAPTIONS)], {})
    cache = TextCache(path, tokens=False)
    assert cache(["sits"]).tokens.shape == (1, 0, 5)
    cache.require_tokens()
    assert cache(["sits"]).tokens.shape == (1, 4, 5)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_half_precision_is_of_tokens_alone_and_bounded(tmp_path, kind):
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    made = batch(CAPTIONS)
    made = TextBatch(made.pooled, made.tokens.to(kind), made.mask, made.eos)
    write_cache(whole, CAPTIONS, [made], {})
    write_cache(half, CAPTIONS, [made], {}, stored="float16")
    assert read_tensors(whole)[0]["tokens"].dtype == kind
    assert read_tensors(half)[0]["tokens"].dtype == torch.float16
    exact, rounded = TextCache(whole)(CAPTIONS), TextCache(half)(CAPTIONS)
    assert torch.equal(exact.pooled, rounded.pooled)
    error = (exact.tokens - rounded.tokens).abs() / exact.tokens.abs().clamp(min=1)
    assert float(error.max()) <= 2**-11
    assert (float(error.max()) > 0) == (kind == torch.float32)


def test_half_precision_moves_a_result_by_more_than_rounding_so_that_it_is_an_option():
    network, generator = tiny_network(), torch.Generator().manual_seed(0)
    tokens = torch.randn(64, 9, TOKENS, generator=generator)
    mask = torch.ones(64, 9, dtype=torch.bool)
    with torch.no_grad():
        exact, half = (network.encode_text(t, mask).mean for t in (tokens, tokens.half().float()))
    moved = float((exact - half).abs().max() / exact.abs().max())
    # two evaluations that differ in the order of their sums alone lie within `rounding`
    assert 3 * rounding(network)["rtol"] < moved < 1e-2


def test_states_too_large_for_float16_are_refused(tmp_path):
    made = batch(CAPTIONS)
    large = TextBatch(made.pooled, made.tokens * 1e5, made.mask, made.eos)
    with pytest.raises(InputError, match=r"too large for float16.*stored"):
        write_cache(tmp_path / "text.safetensors", CAPTIONS, [large], {}, stored="float16")


def test_a_killed_job_goes_on_and_ends_in_the_same_bytes(tmp_path):
    whole, killed = tmp_path / "whole.safetensors", tmp_path / "killed.safetensors"
    write_cache(whole, CAPTIONS, [batch(CAPTIONS[i : i + 2]) for i in (0, 2, 4)], {"name": "fake"})
    writer = CacheWriter(killed, CAPTIONS, {"name": "fake"})
    writer.add(batch(CAPTIONS[:2]))
    writer.data.seek(0, 2)
    writer.data.write(b"half a batch")  # of the one that was being written
    writer.data.flush()
    again = CacheWriter(killed, CAPTIONS, {"name": "fake", "provenance": "of another process"})
    assert again.done == 2
    again.about = {"name": "fake"}
    for begin in (2, 4):
        again.add(batch(CAPTIONS[begin : begin + 2]))
    again.finish()
    assert killed.read_bytes() == whole.read_bytes()


def test_what_was_left_of_other_captions_or_lost_is_begun_again(tmp_path):
    path = tmp_path / "text.safetensors"
    CacheWriter(path, CAPTIONS, {}).add(batch(CAPTIONS[:2]))
    assert CacheWriter(path, CAPTIONS, {}).done == 2
    assert CacheWriter(path, CAPTIONS, {"name": "another"}).done == 0
    CacheWriter(path, CAPTIONS, {}).add(batch(CAPTIONS[:2]))
    (path.with_name("text.safetensors.partial") / "data").write_bytes(b"")
    assert CacheWriter(path, CAPTIONS, {}).done == 0


def test_an_unfinished_file_has_no_name(tmp_path):
    path = tmp_path / "text.safetensors"
    writer = CacheWriter(path, CAPTIONS, {})
    writer.add(batch(CAPTIONS[:2]))
    with pytest.raises(ValueError, match="2 of 6"):
        writer.finish()
    assert not path.exists()


GROWTH = """
import resource, sys, torch
from motionrft.text.cache_writer import CacheWriter
from motionrft.text.features import TextBatch, TextCache
path, count, size = sys.argv[1], int(sys.argv[2]), 50
captions = [f"caption {number:05}" for number in range(count)]
tokens = torch.randn(size, 77, 512)
mask = torch.ones(size, 77, dtype=torch.bool)
made = TextBatch(torch.randn(size, 512), tokens, mask, mask.sum(1) - 1)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
writer = CacheWriter(path, captions, {})
writer.add(made)
before = peak()
while writer.done < count:
    writer.add(made)
writer.finish()
written = peak()
cache = TextCache(path)
cache(captions[::200])
print(written - before, peak() - written)
"""


def test_memory_does_not_grow_with_the_corpus(tmp_path):
    path, count = tmp_path / "text.safetensors", 2000
    command = [sys.executable, "-c", GROWTH, str(path), str(count)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300
    )
    written, read = map(float, done.stdout.split())
    size = path.stat().st_size / 2**20
    assert size > 290  # MB; written in batches of 8, read in one of 10 captions
    assert written < 40
    assert read < 60
