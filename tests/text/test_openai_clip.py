"""OpenAI's CLIP text tower against transformers', exactly, on random small weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from motionrft.errors import InputError
from motionrft.text.openai_clip import embedded_clip, text_tower, to_transformers
from reference.tolerance import rounding

WIDTH, LAYERS, VOCABULARY, POSITIONS, OUT = 128, 3, 60, 12, 96


class Block(nn.Module):
    """A pre-norm block written from the published description: MHA, quick GELU, causal mask."""

    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(WIDTH, WIDTH // 64)
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.mlp = nn.ModuleDict(
            {"c_fc": nn.Linear(WIDTH, 4 * WIDTH), "c_proj": nn.Linear(4 * WIDTH, WIDTH)}
        )

    def forward(self, x: Tensor) -> Tensor:
        mask = torch.full((len(x), len(x)), float("-inf")).triu(1)
        n = self.ln_1(x)
        x = x + self.attn(n, n, n, need_weights=False, attn_mask=mask)[0]
        inner = self.mlp["c_fc"](self.ln_2(x))
        return x + self.mlp["c_proj"](inner * torch.sigmoid(1.702 * inner))


class Tower(nn.Module):
    """The text side, with OpenAI's parameter names."""

    def __init__(self):
        super().__init__()
        self.token_embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.positional_embedding = nn.Parameter(torch.randn(POSITIONS, WIDTH) * 0.1)
        self.transformer = nn.ModuleDict(
            {"resblocks": nn.ModuleList(Block() for _ in range(LAYERS))}
        )
        self.ln_final = nn.LayerNorm(WIDTH)
        self.text_projection = nn.Parameter(torch.randn(WIDTH, OUT) * 0.1)
        self.logit_scale = nn.Parameter(torch.tensor(1.0))
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.2)

    def forward(self, ids: Tensor, eos: Tensor) -> tuple[Tensor, Tensor]:
        x = (self.token_embedding(ids) + self.positional_embedding).transpose(0, 1)
        for block in self.transformer["resblocks"]:
            x = block(x)
        x = self.ln_final(x.transpose(0, 1))
        return x, x[torch.arange(len(x)), eos] @ self.text_projection


@pytest.fixture(scope="module")
def tower() -> Tower:
    torch.manual_seed(0)
    return Tower().eval()


@torch.no_grad()
@pytest.mark.parametrize("prefix", ["clip_model.", "clip.", ""])
def test_mapped_tower_gives_the_same_numbers(tower, prefix):
    stored = {prefix + name: tensor for name, tensor in tower.state_dict().items()}
    stored[f"{prefix}visual.proj"] = torch.zeros(3)
    if prefix:
        stored["embed_text.weight"] = torch.zeros(2)
    model = text_tower(embedded_clip(stored))
    ids = torch.randint(1, VOCABULARY, (5, POSITIONS))
    eos = torch.tensor([11, 3, 7, 9, 1])
    ids[torch.arange(POSITIONS) > eos[:, None]] = 0
    tokens, pooled = tower(ids, eos)
    ours = model.text_model(input_ids=ids).last_hidden_state
    projected = model.text_projection(ours[torch.arange(5), eos])
    # the weights are the same bits; kernels may order float32 sums differently
    torch.testing.assert_close(ours, tokens, **rounding(tower))
    torch.testing.assert_close(projected, pooled, **rounding(tower))


def test_mapping_moves_the_very_bits_and_leaves_none_out(tower):
    stored = tower.state_dict()
    mapped = to_transformers(stored)
    model = text_tower(stored)
    assert set(mapped) == set(model.state_dict())
    assert torch.equal(mapped["text_projection.weight"].T, stored["text_projection"])
    packed = stored["transformer.resblocks.1.attn.in_proj_weight"]
    place = "text_model.encoder.layers.1.self_attn."
    parts = [mapped[f"{place}{part}_proj.weight"] for part in "qkv"]
    assert torch.equal(torch.cat(parts), packed)
    total = sum(tensor.numel() for name, tensor in stored.items() if name != "logit_scale")
    assert sum(tensor.numel() for tensor in mapped.values()) == total
    assert model.config.hidden_act == "quick_gelu"


@torch.no_grad()
def test_half_precision_weights_come_back_as_float32(tower):
    half = {name: tensor.half() for name, tensor in tower.state_dict().items()}
    assert {parameter.dtype for parameter in text_tower(half).parameters()} == {torch.float32}


def test_a_checkpoint_without_clip_and_a_foreign_tensor_are_clear_errors(tower):
    with pytest.raises(InputError, match=r"model\.pt: holds no CLIP"):
        embedded_clip({"embed_text.weight": torch.zeros(2)}, "model.pt")
    with pytest.raises(InputError, match="surprise"):
        to_transformers({**tower.state_dict(), "surprise": torch.zeros(1)})
    with pytest.raises(InputError, match="not a tensor"):
        to_transformers({"transformer.resblocks.0.mlp.gate.weight": torch.zeros(1)})


def test_embedded_weights_become_an_encoder_directory(tower, tmp_path):
    from transformers import PreTrainedTokenizerFast

    from motionrft.backbones.embedded_clip import write_encoder
    from motionrft.text.kinds import open_encoder
    from motionrft.text.synthetic_encoder import make_encoder

    make_encoder(tmp_path / "made", ["a person walks"], width=16)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path / "made")
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    clip = {f"clip.{name}": tensor for name, tensor in tower.state_dict().items()}
    torch.save({"encoder": {"out.bias": torch.zeros(2), **clip}}, tmp_path / "latest.tar")
    write_encoder(tmp_path / "latest.tar", tmp_path / "tokenizer", tmp_path / "clip")
    encoder = open_encoder({"kind": "clip"}, tmp_path / "clip")
    batch = encoder(["a person walks", "walks"])
    assert batch.tokens.shape == (2, POSITIONS, WIDTH)
    assert batch.mask.all()
    with torch.no_grad():
        ids = encoder.tokenize(["a person walks", "walks"])["input_ids"]
        tokens, pooled = tower(ids, batch.eos)
    torch.testing.assert_close(batch.tokens, tokens, **rounding(tower))
    torch.testing.assert_close(batch.pooled, pooled, **rounding(tower))
