"""What lies after a motion: MDM's own frames, ACMDM's padding that its smoothed heading sees."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from motionrft.evaluation.convert import Converter
from motionrft.evaluation.evaluators.t2m.model import TextMotionMatch, Widths
from motionrft.evaluation.scorer import Scorer
from motionrft.evaluation.settings import protocol
from motionrft.files import read_json
from motionrft.motion.normaliser import Normaliser
from tests.same import assert_same

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "data_eval"
ATOL = read_json(FIXTURES / "acmdm_back67.json")["atol"]
PLAN = {"texts": 2, "repeats": 3, "pairs": 2, "replications": 1}


def test_acmdm_sees_padding_through_its_smoothing_as_recorded():
    """The recorded official features of clips padded to 128 frames, by the way the scorer takes."""
    recorded = load_file(FIXTURES / "acmdm_back67.safetensors")
    names = [key.removesuffix(".joints") for key in recorded if key.endswith(".joints")]
    motions = [recorded[f"{name}.joints"].flatten(1) for name in names]
    converter = Converter("joint", {})
    alone = converter.acmdm_features(motions)
    padded = converter.acmdm_features(motions, 128)
    moved = {}
    for name, clean, leaked in zip(names, alone, padded, strict=True):
        frames = len(recorded[f"{name}.joints"]) - 1
        official = next(v for k, v in recorded.items() if k.startswith(f"{name}.feat67_padded"))
        assert torch.allclose(leaked, official[:frames], atol=ATOL), name
        assert torch.allclose(clean, recorded[f"{name}.feat67"], atol=ATOL), name
        moved[name] = float((leaked - clean).abs().max())
    assert moved["dance41"] == pytest.approx(0.3416, abs=0.5e-4)  # as it is printed
    assert min(moved.values()) > 0.007


@pytest.mark.usefixtures("float64")
def test_frames_after_the_length_move_the_last_token_only():
    torch.manual_seed(0)
    normaliser = Normaliser(torch.randn(20), torch.rand(20) + 0.5)
    evaluator = TextMotionMatch(Widths(6, 5, 7, 4, 3), normaliser, word=9, pos=15).eval()
    motions = [torch.randn(12, 20), torch.randn(28, 20)]
    plain = evaluator.embed_motions(motions)
    mean = [torch.cat([motion, normaliser.mean.expand(4, -1)]) for motion in motions]
    assert_same(evaluator.embed_motions(mean, lengths=[12, 28]), plain)
    tails = [torch.cat([motion, torch.randn(4, 20)]) for motion in motions]
    found = evaluator.embed_motions(tails, lengths=[12, 28])
    for row, (motion, tail) in enumerate(zip(motions, tails, strict=True)):
        seen = normaliser.normalise(tail)[None]
        wanted = evaluator.encode_motions(seen, torch.tensor([len(motion)]))[0]
        assert_same(found[row], wanted)
        assert (found[row] - plain[row]).abs().max() > 1e-4
    # a token sees three frames beyond its own four: the fourth changes nothing
    tails = [torch.cat([tail[:-1], torch.randn(1, 20)]) for tail in tails]
    assert_same(evaluator.embed_motions(tails, lengths=[12, 28]), found)


def test_mdm_scores_what_the_model_emits_and_keeps_only_the_motion(store, text, trained):
    changes = {"group": 16, "min_frames": 20, "limit": 0, "multimodality": PLAN}
    mdm, t2m = (
        Scorer(store, trained[0], text, protocol(name, **changes)) for name in ("mdm", "t2m")
    )

    def source(tail):
        def emit(captions, lengths, seeds):
            generator = torch.Generator().manual_seed(len(captions))
            made = [torch.randn(int(n), 263, generator=generator) for n in lengths]
            return [torch.cat([motion, tail.expand(4, -1)]) for motion in made]

        return emit

    mean = mdm.evaluator.normaliser.mean
    outside = mdm.score(source(mean + 50), "kinematic", "m", 0)
    neutral = mdm.score(source(mean), "kinematic", "m", 0)
    ignored = t2m.score(source(mean + 50), "kinematic", "m", 0)
    for key in ("FID", "MM-Dist", "MultiModality"):
        assert neutral.metrics[key] == pytest.approx(ignored.metrics[key], rel=1e-5), key
        assert abs(outside.metrics[key] - neutral.metrics[key]) > 1e-3, key
    assert outside.metrics["jerk"] == neutral.metrics["jerk"]
    lengths = mdm.draw(0).lengths[: len(outside.samples.features)].tolist()
    assert [len(motion) for motion in outside.samples.features] == lengths
