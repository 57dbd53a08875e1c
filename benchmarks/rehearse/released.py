"""Files as their authors release them, of official sizes and with random weights, and text encoders of official widths."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionrft.backbones.io import build_backbone, export_official
from motionrft.configuration.encoders import text_widths
from motionrft.evaluation.evaluators.t2m.model import ALL_BUT_CONTACTS, TextMotionMatch, Widths
from motionrft.evaluation.words import POS
from motionrft.motion.normaliser import Normaliser
from motionrft.motion.representation import representation
from motionrft.reward.lora import LoraSettings
from motionrft.reward.network import RewardNetwork
from motionrft.reward.network_settings import NetworkSettings
from motionrft.reward.official import export_branch, export_network
from motionrft.reward.stages import load as load_stage
from motionrft.text.synthetic_encoder import make_encoder

GLOVE = 300  # numbers of a word vector
DIMENSIONS = {"kinematic": 263, "joint": 66, "rotation": 135}


def write_backbone(path: Path, entry: dict[str, Any], encoder: dict[str, Any]) -> None:
    """The official file of a resolved backbone (of ACMDM the folder)."""
    dim, widths = representation(entry["representation"]).dim, text_widths(encoder)
    assert widths is not None
    torch.manual_seed(0)
    normaliser = Normaliser(torch.zeros(dim), torch.ones(dim))
    backbone = build_backbone(entry, dim=dim, text=widths, normaliser=normaliser)
    for parameter in backbone.parameters():
        if not parameter.any():  # layers that begin at zero would give zeros alone
            torch.nn.init.normal_(parameter, std=0.02)
    export_official(backbone, path)


def write_evaluator(folder: Path, words: Sequence[str]) -> dict[str, Any]:
    """Guo et al.'s evaluator with its statistics and words; the keys of `evaluator` that name them."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    normaliser = Normaliser(torch.zeros(263), torch.ones(263))
    widths = Widths()
    network = TextMotionMatch(
        widths, normaliser, word=GLOVE, pos=len(POS), channels=ALL_BUT_CONTACTS
    )
    state: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in network.state_dict().items():
        part, _, rest = name.partition(".")
        state.setdefault(part, {})[rest] = tensor
    torch.save(state, folder / "finest.tar")
    np.save(folder / "mean.npy", np.zeros(263, np.float32))
    np.save(folder / "std.npy", np.ones(263, np.float32))
    known = ["unk", "sos", "eos", *sorted(set(words))]
    glove = folder / "glove"
    glove.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    np.save(glove / "our_vab_data.npy", rng.normal(size=(len(known), GLOVE)).astype(np.float32))
    for name, value in (("words", known), ("idx", {word: row for row, word in enumerate(known)})):
        (glove / f"our_vab_{name}.pkl").write_bytes(pickle.dumps(value))
    files = {"checkpoint": "finest.tar", "mean": "mean.npy", "std": "std.npy", "glove": "glove"}
    return {key: str(folder / name) for key, name in files.items()}


def write_reward(folder: Path, reward: dict[str, Any], text_width: int) -> dict[str, Any]:
    """The released MotionReward; by stage the value of `checkpoint`."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    network = RewardNetwork(NetworkSettings.read(reward["network"], DIMENSIONS, text_width)).eval()
    files: dict[str, Any] = {"semantic": str(folder / "stage1_retrieval_backbone.pth")}
    export_network(files["semantic"], network)
    for stage, stem in (("preference", "stage2_critic"), ("authenticity", "stage3_ai_detection")):
        branch = load_stage(stage).new_branch(network, LoraSettings(16, 32, 0.1)).freeze()  # type: ignore[attr-defined]
        files[stage] = [str(folder / f"{stem}_{part}.pth") for part in ("lora", "head")]
        export_branch(*files[stage], branch)
    return files


def write_encoder(folder: Path, encoder: dict[str, Any], captions: Sequence[str]) -> None:
    """A text encoder of the section's kind and widths without a layer: what its features take, not what it takes."""
    from safetensors.torch import save_file
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    widths = text_widths(encoder)
    assert widths is not None
    make_encoder(folder, captions, width=widths["tokens"], layers=0)
    if encoder["kind"] == "sentence-t5":
        dense = torch.randn(widths["pooled"], widths["tokens"]) / widths["tokens"] ** 0.5
        save_file({"linear.weight": dense}, str(folder / "2_Dense" / "model.safetensors"))
        return
    (folder / "model.safetensors").unlink()
    (folder / "config.json").unlink()
    CLIPTextModelWithProjection(
        CLIPTextConfig(
            vocab_size=len(captions) * 20 + 1000,
            hidden_size=widths["tokens"],
            intermediate_size=4 * widths["tokens"],
            num_hidden_layers=0,
            num_attention_heads=8,
            projection_dim=widths["pooled"],
            eos_token_id=1,
            bos_token_id=0,
            pad_token_id=0,
        )
    ).save_pretrained(folder)
