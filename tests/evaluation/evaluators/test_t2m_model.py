from __future__ import annotations

import pytest
import torch
from small_evaluator import small_evaluator

from motionrft.errors import InputError
from motionrft.evaluation.evaluators.t2m.model import (
    MovementEncoder,
    TextEncoder,
    TextMotionMatch,
    Widths,
)
from motionrft.evaluation.motionclip import MotionCLIP
from motionrft.motion.normaliser import Normaliser


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_official_sizes_have_the_official_number_of_parameters():
    with torch.device("meta"):
        t2m = TextMotionMatch(
            Widths(), Normaliser(torch.zeros(263), torch.ones(263)), word=300, pos=15
        )
        kit = MovementEncoder(251 - 4, 512, 512)
        acmdm = MovementEncoder(67, 512, 512)
        clip = MotionCLIP()
    counts = [count(n) for n in (t2m.movement_encoder, t2m.text_encoder, t2m.motion_encoder)]
    assert counts == [1842688, 4100288, 15747584]
    assert (count(kit), count(acmdm)) == (1818112, 1449472)
    assert sum(tensor.numel() for tensor in clip.state_dict().values()) == 60567553
    assert clip.state_dict()["motion_encoder.sequence_pos_encoder.pe"].shape == (2000, 512)


def test_a_movement_token_sees_frames_4i_minus_3_to_4i_plus_6():
    torch.manual_seed(0)
    encoder = MovementEncoder(3, 4, 4).eval()
    x = torch.randn(1, 32, 3, requires_grad=True)
    encoder(x)[0, 3].sum().backward()
    seen = x.grad[0].abs().sum(1).nonzero().flatten().tolist()
    assert seen == list(range(4 * 3 - 3, 4 * 3 + 7))


def test_what_lies_after_a_length_does_not_count():
    torch.manual_seed(0)
    encoder = TextEncoder(5, 0, 8, 6).eval()
    words, lengths = torch.randn(3, 7, 5), torch.tensor([7, 2, 4])
    other = words.clone()
    other[1, 2:] = 99.0
    assert torch.equal(encoder(words, None, lengths), encoder(other, None, lengths))
    with pytest.raises(InputError, match="sequence 1 has no token"):
        encoder(words, None, torch.tensor([7, 0, 4]))


def test_contacts_are_not_seen_and_first_67_are_all_that_is():
    motion = torch.randn(12, 20)
    changed = motion.clone()
    changed[:, -4:] += 5
    evaluator = small_evaluator()
    assert torch.equal(evaluator.embed_motions([motion]), evaluator.embed_motions([changed]))
    wide = small_evaluator(dim=80, channels="first 67")
    motion = torch.randn(12, 80)
    changed = motion.clone()
    changed[:, 67:] = 0
    assert torch.equal(wide.embed_motions([motion]), wide.embed_motions([changed]))
