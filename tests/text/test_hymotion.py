"""HY-Motion's text states on real classes with tiny seeded weights: the chat prompt, its crop, padding."""

from __future__ import annotations

import pytest
import torch

from motionrft.errors import InputError
from motionrft.text.cache_writer import write_cache
from motionrft.text.encoder import ClipPooler, encode_all
from motionrft.text.features import TextCache
from motionrft.text.hymotion import HYMotionText, read_template
from motionrft.text.kinds import open_encoder
from reference.tolerance import rounding
from tests.text.test_encoder import clip  # noqa: F401

SYSTEM = "\n    " + "Summarise the motion that the user describes, part by part. " * 2 + "\n"
CAPTIONS = [
    "a person walks to the left.",
    "",
    "someone waves",
    "one two three four five six seven eight nine",
]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    folder = tmp_path_factory.mktemp("qwen")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: index for index, letter in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>"],
    )
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(fast),
        hidden_size=24,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("official") / "model_constants.py"
    path.write_text(
        f'"""Constants."""\nraise SystemExit\nNAME = "short"\nPROMPT = """{SYSTEM}"""\n'
    )
    return path


@pytest.fixture(scope="module")
def encoder(clip, qwen, template):  # noqa: F811
    sources = {"clip": clip, "qwen": qwen, "template": template}
    return HYMotionText(sources, max_tokens=30, dtype=torch.float32)


def test_the_system_message_is_read_byte_for_byte_and_never_run(template, tmp_path):
    assert read_template(template) == SYSTEM
    (tmp_path / "message.txt").write_text(SYSTEM)
    assert read_template(tmp_path / "message.txt") == SYSTEM
    (tmp_path / "two.py").write_text(f"A = {'a' * 200!r}\nB = {'b' * 200!r}\n")
    with pytest.raises(InputError, match="2 long strings"):
        read_template(tmp_path / "two.py")


def test_tokens_begin_at_the_caption(encoder):
    prompt = encoder.prompt(CAPTIONS[0])
    ids = encoder.tokenizer(prompt, add_special_tokens=False)["input_ids"]
    assert SYSTEM in prompt
    assert encoder.tokenizer.decode(ids[encoder.crop :]) == CAPTIONS[0] + "<|im_end|>\n"


def test_states_are_those_of_each_prompt_alone_after_the_final_norm(encoder, qwen):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(qwen, dtype=torch.float32).eval()
    batch = encoder(CAPTIONS)
    for row, caption in enumerate(CAPTIONS):
        ids = encoder.tokenizer(
            encoder.prompt(caption), add_special_tokens=False, return_tensors="pt"
        )
        with torch.no_grad():
            hidden = model(**ids, output_hidden_states=True).hidden_states[-1]
        own = hidden[0, encoder.crop :][:30]
        # the end-of-turn token and the newline count
        assert int(batch.mask[row].sum()) == len(own) == min(len(caption) + 2, 30)
        torch.testing.assert_close(batch.tokens[row, : len(own)], own, **rounding(model))
        assert (batch.tokens[row, len(own) :] == 0).all()
        assert int(batch.eos[row]) == len(own) - 1


def test_the_sentence_vector_is_clips_unprojected_state(encoder, clip):  # noqa: F811
    assert torch.equal(encoder(CAPTIONS).pooled, ClipPooler(clip)(CAPTIONS).pooled)


def test_it_is_a_text_encoder_like_any_other(clip, qwen, template, tmp_path):  # noqa: F811
    sources = {"clip": str(clip), "qwen": str(qwen), "template": str(template)}
    section = {"kind": "hymotion", "sources": sources, "max_tokens": 30}
    encoder = open_encoder(section)
    assert next(encoder.qwen.parameters()).dtype == torch.bfloat16
    write_cache(tmp_path / "text.safetensors", CAPTIONS, encode_all(encoder, CAPTIONS, 3), {})
    cache = TextCache(tmp_path / "text.safetensors")
    assert (cache.pooled_dim, cache.token_dim) == (16, 24)
    batch = cache([CAPTIONS[2], CAPTIONS[0]])
    assert batch.mask.sum(1).tolist() == [len(CAPTIONS[2]) + 2, len(CAPTIONS[0]) + 2]
    with pytest.raises(InputError, match="template"):
        open_encoder({"kind": "hymotion", "sources": {"clip": clip, "qwen": qwen}})
