"""Makes a sentence-T5 directory for corpora that must run without a download: a small seeded encoder with
a tokeniser of the corpus's own words, in the very layout the paper's encoder has on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"


def make_encoder(
    folder: str | Path, captions: Sequence[str], *, width: int = 64, layers: int = 1, seed: int = 0
) -> None:
    """Writes `folder`: config, tokeniser, T5 weights (random, seeded), 2_Dense. The same captions and seed
    give the same files."""
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

    folder = Path(folder)
    normaliser = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    splitter = pre_tokenizers.Sequence([pre_tokenizers.Whitespace()])
    counts = Counter(
        word
        for caption in captions
        for word, _ in splitter.pre_tokenize_str(normaliser.normalize_str(caption))
    )
    words = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    vocabulary = {word: index for index, word in enumerate([PAD, END, UNKNOWN, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normaliser, splitter
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, vocabulary[END])]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        model_max_length=256,
    ).save_pretrained(folder)
    heads = max(width // 16, 1)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = T5EncoderModel(
            T5Config(
                vocab_size=len(vocabulary),
                d_model=width,
                d_kv=width // heads,
                d_ff=2 * width,
                num_layers=layers,
                num_heads=heads,
                dropout_rate=0.0,
                pad_token_id=0,
                eos_token_id=1,
                is_encoder_decoder=False,
                use_cache=False,
            )
        )
        dense = torch.linalg.qr(torch.randn(width, width))[0]
    model.save_pretrained(folder)
    (folder / "2_Dense").mkdir(exist_ok=True)
    save_file({"linear.weight": dense.contiguous()}, str(folder / "2_Dense" / "model.safetensors"))
