"""Makes a sentence-T5 directory for corpora that must run without a download: a small seeded encoder with
a tokeniser of the corpus's own words, in the very layout the paper's encoder has on disk.

Its weights are random, so sentence vectors share one large direction and differ little. The dense layer
therefore whitens them over the corpus's captions: each channel has unit variance, as features of a
trained encoder have a useful scale.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from motionrft.loading import loading
from motionrft.text.encoder import SentenceT5, encode_all

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"


def make_encoder(
    folder: str | Path, captions: Sequence[str], *, width: int = 64, layers: int = 1, seed: int = 0
) -> None:
    """Writes `folder`: config, tokeniser, T5 weights (random, seeded), 2_Dense. The same captions and seed
    give the same files."""
    with loading():
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
    model.save_pretrained(folder)
    dense = folder / "2_Dense" / "model.safetensors"
    dense.parent.mkdir(exist_ok=True)
    save_file({"linear.weight": torch.eye(width)}, str(dense))
    plain = SentenceT5(folder, unit_norm=False)
    pooled = torch.cat([batch.pooled for batch in encode_all(plain, sorted(set(captions)))])
    save_file({"linear.weight": whitening(pooled)}, str(dense))


def whitening(vectors: Tensor, floor: float = 1e-3) -> Tensor:
    """[P, P] linear map after which `vectors` [N, P] have unit variance in every direction that varies by
    more than `floor` of the most variable one, and nothing of their common direction."""
    mean = vectors.double().mean(0)
    along = mean / mean.norm()
    across = torch.eye(len(mean), dtype=torch.float64) - along[:, None] * along[None]
    centred = (vectors.double() - mean) @ across
    values, axes = torch.linalg.eigh(centred.T @ centred / len(vectors))
    kept = values > floor * values[-1]
    scale = torch.where(kept, values.clamp(min=1e-30).rsqrt(), torch.zeros_like(values))
    linear: Tensor = ((axes * scale).T @ across).float().contiguous()
    return linear
