"""Real transformers classes on tiny seeded weights: pooling, padding and tokenising as the papers have it."""

import pytest
import torch

from motionrft.errors import InputError
from motionrft.text.cache_writer import write_cache
from motionrft.text.encoder import ClipPooler, ClipText, SentenceT5, encode_all
from motionrft.text.features import TextBatch, TextCache
from motionrft.text.kinds import open_encoder
from motionrft.text.synthetic_encoder import make_encoder
from reference.tolerance import rounding

CAPTIONS = [
    "",
    "a person walks to the left.",
    "someone waves",
    "a man jumps twice and walks to the right.",
]


@pytest.fixture(scope="module")
def t5(tmp_path_factory):
    folder = tmp_path_factory.mktemp("t5")
    make_encoder(folder, CAPTIONS, width=32, layers=2, seed=1)
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("clip")
    words = ["<|startoftext|>", "<|endoftext|>", "a", "person", "walks", "waves", "left", "unknown"]
    tokenizer = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="unknown")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{words[0]} $A {words[1]}", special_tokens=[(words[0], 0), (words[1], 1)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=words[0],
        eos_token=words[1],
        pad_token=words[1],
        unk_token="unknown",
    ).save_pretrained(folder)
    torch.manual_seed(0)
    CLIPTextModelWithProjection(
        CLIPTextConfig(
            vocab_size=8,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            projection_dim=12,
            eos_token_id=1,
            bos_token_id=0,
            pad_token_id=1,
        )
    ).save_pretrained(folder)
    return folder


def test_making_an_encoder_is_deterministic(t5, tmp_path):
    make_encoder(tmp_path / "again", CAPTIONS, width=32, layers=2, seed=1)
    for name in ("model.safetensors", "2_Dense/model.safetensors", "tokenizer.json"):
        assert (t5 / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_sentence_t5_is_the_normalised_projected_mean(t5):
    from transformers import AutoTokenizer, T5EncoderModel

    encoder = SentenceT5(t5)
    batch = encoder(CAPTIONS)
    torch.testing.assert_close(batch.pooled.norm(dim=-1), torch.ones(4))
    tokenizer, model = AutoTokenizer.from_pretrained(t5), T5EncoderModel.from_pretrained(t5)
    ids = tokenizer(CAPTIONS[1], return_tensors="pt").input_ids  # alone: no padding at all
    with torch.no_grad():
        states = model(ids).last_hidden_state[0]
    mean = states.mean(0) @ encoder.dense.T
    torch.testing.assert_close(batch.pooled[1], mean / mean.norm(), **rounding(model))
    torch.testing.assert_close(batch.tokens[1, : len(states)], states, **rounding(model))
    assert batch.mask.sum(1).tolist()[1] == len(states) == int(batch.eos[1]) + 1


def test_made_sentence_vectors_are_white(tmp_path):
    from motionrft.corpus.kinds.toy import make_clip

    captions = sorted({text for index in range(120) for text in make_clip(index, {"seed": 0})[1]})
    make_encoder(tmp_path, captions, width=32)
    pooled = SentenceT5(tmp_path, unit_norm=False)(captions).pooled
    moment = (pooled - pooled.mean(0)).T @ (pooled - pooled.mean(0)) / len(pooled)
    kept = moment.diagonal() > 0.5
    assert int(kept.sum()) >= 20
    torch.testing.assert_close(moment[kept][:, kept], torch.eye(int(kept.sum())), atol=1e-3, rtol=0)
    assert float(pooled.mean(0).abs().max()) < 0.05
    similar = torch.nn.functional.cosine_similarity(pooled[:, None], pooled[None], dim=-1)
    assert float(similar.fill_diagonal_(0).abs().mean()) < 0.25


def test_clip_pools_the_end_token_and_cuts(clip):
    from transformers import CLIPTextModelWithProjection

    batch = ClipText(clip)(["a person walks", "waves"])
    model = CLIPTextModelWithProjection.from_pretrained(clip)
    ids = torch.tensor([[0, 2, 3, 4, 1] + [0] * 72])  # OpenAI pads with 0
    with torch.no_grad():
        inner = model.text_model(ids).last_hidden_state
        expected = model.text_projection(inner[:, 4])
    torch.testing.assert_close(batch.pooled[:1], expected, **rounding(model))
    torch.testing.assert_close(batch.tokens[:1], inner, **rounding(model))
    assert batch.tokens.shape == (2, 77, 16)
    assert batch.eos.tolist() == [4, 2]
    assert bool(batch.mask.all())
    short = ClipText(clip, cut=2)(["a person walks", "a person"])
    torch.testing.assert_close(short.pooled[0], short.pooled[1])
    assert ClipPooler(clip)(["waves"]).pooled.shape == (1, 16)


def test_cache_round_trip(t5, tmp_path):
    encoder = SentenceT5(t5)
    path = tmp_path / "cache.safetensors"
    write_cache(path, CAPTIONS, encode_all(encoder, CAPTIONS, batch_size=3), {"encoder": "t5"})
    cache = TextCache(path)
    direct = encoder([CAPTIONS[3], CAPTIONS[0]])
    again = cache([CAPTIONS[3], CAPTIONS[0]])
    within = rounding(encoder.model)
    torch.testing.assert_close(again.pooled, direct.pooled, **within)
    torch.testing.assert_close(
        again.tokens * again.mask[..., None],
        direct.tokens * direct.mask[..., None],
        **within,
    )
    assert torch.equal(again.mask, direct.mask)
    assert cache.captions == CAPTIONS
    torch.testing.assert_close(cache.empty().pooled, again.pooled[1:], **within)
    with pytest.raises(InputError, match="'somebody sings' has no features"):
        cache(["somebody sings"])


def test_a_corrupted_cache_is_one_clear_error(t5, tmp_path):
    path = tmp_path / "cache.safetensors"
    write_cache(path, CAPTIONS, encode_all(SentenceT5(t5), CAPTIONS), {})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"cache\.safetensors.*truncated"):
        TextCache(path)


def test_batches_join_and_select():
    def batch(length, seed):
        generator = torch.Generator().manual_seed(seed)
        return TextBatch(
            torch.randn(2, 3, generator=generator),
            torch.randn(2, length, 4, generator=generator),
            torch.ones(2, length, dtype=torch.bool),
            torch.full((2,), length - 1),
        )

    short, long = batch(2, 0), batch(5, 1)
    joined = TextBatch.cat([short, long])
    assert joined.tokens.shape == (4, 5, 4)
    assert not joined.mask[:2, 2:].any()
    torch.testing.assert_close(joined.select(slice(2, 4)).tokens, long.tokens)
    assert long.select(slice(0, 1)).expand(7).pooled.shape == (7, 3)


def test_missing_encoder_and_kind(tmp_path):
    with pytest.raises(InputError, match="no text encoder there"):
        open_encoder({"kind": "sentence-t5", "source": str(tmp_path)})
    with pytest.raises(InputError, match="unknown text encoder kind 'elmo'"):
        open_encoder({"kind": "elmo", "source": "x"})
