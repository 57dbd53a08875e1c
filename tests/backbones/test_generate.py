"""A sample depends on its caption, length and seed alone."""

import torch

from motionrft.backbones.generate import generate
from motionrft.backbones.io import load_backbone
from motionrft.text.features import TextCache
from tests.backbones.conftest import pretrain
from tests.same import sampled


def test_a_sample_depends_on_its_caption_length_and_seed_alone(run, tmp_path):
    assert pretrain(run, tmp_path / "a.safetensors") == 0
    backbone, about = load_backbone(tmp_path / "a.safetensors")
    text = TextCache(run / "text/toy.safetensors")
    captions = [caption for caption in text.captions if caption][:3]
    lengths, seeds = torch.tensor([40, 56, 48]), [7, 8, 9]
    together = generate(backbone, about["backbone"]["sampler"], captions, lengths, seeds, text)
    assert [tuple(motion.shape) for motion in together] == [(40, 263), (56, 263), (48, 263)]
    within = sampled(backbone, about["backbone"]["sampler"])
    for row in range(3):
        alone = generate(
            backbone,
            about["backbone"]["sampler"],
            captions[row : row + 1],
            lengths[row : row + 1],
            seeds[row : row + 1],
            text,
        )[0]
        torch.testing.assert_close(alone, together[row], **within)
    further = generate(
        backbone, about["backbone"]["sampler"], captions, lengths, seeds, text, beyond=4
    )
    for row, motion in enumerate(
        further
    ):  # what MDM emits after a length, and nothing else changes
        assert len(motion) == lengths[row] + 4
        torch.testing.assert_close(motion[:-4], together[row], **within)
        assert not torch.allclose(motion[-4:], backbone.normaliser.mean, atol=1e-3)
    other = generate(backbone, about["backbone"]["sampler"], captions, lengths, [7, 8, 10], text)
    assert torch.equal(other[0], together[0])
    assert not torch.allclose(other[2], together[2])
