"""OpenAI's CLIP text tower, as motion checkpoints embed it, in transformers' layout.

MDM files of before December 2022 hold it under `clip_model.`, MotionDiffuse's under `clip.`. In float32
the mapped tower gives the very numbers of OpenAI's code. MDM ran OpenAI's half-precision weights:
float32 features differ from those by 1.4e-3 relative (cosine 0.999999).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from motionrft.errors import InputError

if TYPE_CHECKING:
    from transformers import CLIPTextModelWithProjection

PREFIXES = ("clip_model.", "clip.", "")
HEAD_WIDTH = 64  # of every CLIP text tower OpenAI released
UNUSED = re.compile(r"visual\.|logit_scale$|input_resolution$|context_length$|vocab_size$")
LAYER = re.compile(r"transformer\.resblocks\.(\d+)\.(.+)(weight|bias)$")
OUTSIDE = {
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
}
INSIDE = {
    "ln_1.": "layer_norm1.",
    "ln_2.": "layer_norm2.",
    "attn.out_proj.": "self_attn.out_proj.",
    "mlp.c_fc.": "mlp.fc1.",
    "mlp.c_proj.": "mlp.fc2.",
}


def embedded_clip(tensors: Mapping[str, Tensor], where: str | Path = "") -> dict[str, Tensor]:
    """The OpenAI-named CLIP tensors in a checkpoint, their prefix removed."""
    for prefix in PREFIXES:
        if f"{prefix}token_embedding.weight" in tensors:
            return {
                name.removeprefix(prefix): tensor
                for name, tensor in tensors.items()
                if name.startswith(prefix)
            }
    raise InputError(
        "holds no CLIP text tower",
        where=where,
        fix="use the transformers CLIP (text.clip-b32); MDM files since December 2022 hold none",
    )


def to_transformers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """OpenAI names -> names of `CLIPTextModelWithProjection`, float32; the image tower is left out.

    Packed query, key, value are split; `text_projection` is stored as [in, out] and transposed.
    """
    mapped: dict[str, Tensor] = {}
    for name, stored in tensors.items():
        tensor = stored.float()
        layer = LAYER.match(name)
        if name in OUTSIDE:
            mapped[OUTSIDE[name]] = tensor
        elif name == "text_projection":
            mapped["text_projection.weight"] = tensor.T.contiguous()
        elif layer is not None:
            place = f"text_model.encoder.layers.{layer[1]}."
            inner, kind = layer[2], layer[3]
            if inner == "attn.in_proj_":
                for part, chunk in zip("qkv", tensor.chunk(3), strict=True):
                    mapped[f"{place}self_attn.{part}_proj.{kind}"] = chunk.contiguous()
            elif inner in INSIDE:
                mapped[f"{place}{INSIDE[inner]}{kind}"] = tensor
            else:
                raise InputError("not a tensor of OpenAI's CLIP", field=name)
        elif not UNUSED.match(name):
            raise InputError("not a tensor of OpenAI's CLIP", field=name)
    return mapped


def text_tower(
    tensors: Mapping[str, Tensor], where: str | Path = ""
) -> CLIPTextModelWithProjection:
    """The text tower in eval mode. tensors: OpenAI names without prefix; sizes are read off their shapes."""
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    from motionrft.checkpoints import load_into

    mapped = to_transformers(tensors)
    vocabulary, width = tensors["token_embedding.weight"].shape
    layers = {match[1] for match in map(LAYER.match, tensors) if match}
    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=len(tensors["transformer.resblocks.0.mlp.c_fc.weight"]),
        projection_dim=tensors["text_projection"].shape[1],
        num_hidden_layers=len(layers),
        num_attention_heads=max(width // HEAD_WIDTH, 1),
        max_position_embeddings=len(tensors["positional_embedding"]),
        hidden_act="quick_gelu",
        # the last two ids, 49406 and 49407 in OpenAI's vocabulary
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
        pad_token_id=0,
    )
    model: CLIPTextModelWithProjection = CLIPTextModelWithProjection(config)
    load_into(model, mapped, where)
    model.eval()
    return model
