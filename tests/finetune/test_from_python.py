"""`motionrft.finetune`: a loaded model, sentences, and a trained reward or a function of joints."""

import numpy as np
import pytest
import torch

import motionrft
from motionrft.errors import InputError
from motionrft.finetune.own_reward import Captions, JointTerm, TrainedTerm, WeightedSum
from motionrft.finetune.sentence_prompts import SentencePrompts
from reference.tolerance import rounding
from tests.same import THERE_AND_BACK
from tests.tiny_run import model_file, reward_folder, run

__all__ = ["model_file", "reward_folder", "run"]
PROMPTS = ["a person walks", "a person waves with the left hand", "a person sits down"]
QUICK = {"lr": 3e-3, "batch_size": 4}
LEFT_WRIST = 20


def height(joints, sentence):
    return joints[:, LEFT_WRIST, 1].mean()


@pytest.fixture(scope="module")
def model(model_file):
    return motionrft.load_model(model_file)


def tuned(model, reward=height, **options):
    options = {"prompts": PROMPTS, "updates": 4, "seconds": 2.2, "settings": QUICK, **options}
    return motionrft.finetune(model, reward, **options)


def example(model):
    return torch.zeros(8, model.representation.dim), PROMPTS[0]


def weights(model):
    return torch.cat([value.flatten().double() for value in model.backbone.parameters()])


def test_a_function_of_joints_grows_and_the_model_stays_as_it_is(model):
    before = weights(model)
    result = tuned(model, updates=24)
    rewards = result.record.query("name == 'reward/height'")["value"].to_numpy()
    assert len(rewards) == 24
    assert rewards[-4:].mean() > rewards[:4].mean() + 0.02  # two centimetres
    assert torch.equal(weights(model), before)
    seen = [height(m.joints, "") for m in result.generate(PROMPTS, seconds=2.2, seed=9)]
    base = [height(m.joints, "") for m in model.generate(PROMPTS, seconds=2.2, seed=9)]
    assert np.mean(seen) > np.mean(base)


def test_the_same_call_gives_the_same_weights_and_another_seed_others(model):
    first, again, other = tuned(model), tuned(model), tuned(model, seed=1)
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))


def test_a_saved_model_is_loaded_with_its_method(model, run):
    result = tuned(model, method="draft-10")
    path = run / "finetune" / "own" / "model.safetensors"
    result.save(path)
    loaded = motionrft.load_model(path)
    assert loaded.name == "draft-10"
    assert loaded.about["finetune"]["settings"]["budget"] == {"kind": "updates", "amount": 4}
    [one], [other] = (m.generate(PROMPTS[:1], seconds=2.2) for m in (loaded, result))
    assert torch.equal(one.joints, other.joints)


def test_adapters_are_merged(model):
    result = tuned(model, settings={**QUICK, "tune": "lora", "lora": {"rank": 2, "alpha": 4}})
    assert result.backbone.state_dict().keys() == model.backbone.state_dict().keys()
    assert not torch.equal(weights(result), weights(model))


def context_of(model, sum_, lengths):
    text = model.encoder(PROMPTS)
    return sum_.context(Captions.of(text, PROMPTS), None, lengths, "kinematic")


def test_terms_and_their_sum_are_what_the_user_sees(model, reward_folder):
    """The scores of fine-tuning are the function's of the joints, and the total that `score` says."""
    reward = motionrft.load_reward(reward_folder)
    motions = model.generate(PROMPTS, seconds=2.2)
    raw = torch.stack([motion.features for motion in motions]).float()
    lengths = torch.tensor([len(motion) for motion in motions])
    terms = {
        "height": JointTerm(height, model.representation, example(model)),
        "reward": TrainedTerm(reward, model.representation, torch.device("cpu")),
    }
    statistics = model.backbone.normaliser
    both = WeightedSum(terms, {"height": 0.5, "reward": 2.0}, statistics)
    scores = both(statistics.normalise(raw), lengths, context_of(model, both, lengths), None)
    expected = torch.stack([height(motion.joints, "") for motion in motions])
    torch.testing.assert_close(scores["height"], expected, **THERE_AND_BACK)
    said = reward.score(motions, PROMPTS)["total"].to_numpy()
    torch.testing.assert_close(
        scores["reward"].numpy(), said.astype("float32"), **rounding(reward.reward)
    )
    torch.testing.assert_close(scores["total"], 0.5 * scores["height"] + 2.0 * scores["reward"])
    assert both.max_t == 0
    assert WeightedSum({"reward": terms["reward"]}, {"reward": 1.0}, statistics).max_t == 500


def test_frames_after_a_length_and_other_rows_change_nothing(model):
    term = JointTerm(height, model.representation, example(model))
    raw = torch.randn(2, 12, model.representation.dim, generator=torch.Generator().manual_seed(0))
    short = term(raw, torch.tensor([8, 12]), PROMPTS[:2], None)
    alone = term(raw[:1, :8], torch.tensor([8]), PROMPTS[:1], None)
    torch.testing.assert_close(short[:1], alone)


def test_a_trained_reward_and_a_function_together(model, reward_folder):
    reward = motionrft.load_reward(reward_folder)
    result = tuned(model, {reward: 1.0, height: 0.1}, updates=2)
    names = set(result.record["name"])
    assert {"reward/reward", "reward/height", "reward"} <= names


def numpy_height(joints, sentence):
    return float(joints.numpy()[:, LEFT_WRIST, 1].mean())


def test_a_function_is_tried_on_a_motion_of_the_length_it_will_see(model):
    late = tuned(model, lambda joints, text: joints[40, LEFT_WRIST, 1], updates=1)
    assert len(late.record.query("name == 'reward'")) == 1


def test_a_reward_without_gradient_is_refused_by_methods_that_need_one(model):
    for function in (numpy_height, lambda joints, text: len(text), lambda joints, text: (joints > 0).float().mean()):  # fmt: skip
        term = JointTerm(function, model.representation, example(model))
        assert not term.differentiable
        with pytest.raises(InputError, match="EasyTune needs the reward's gradient"):
            tuned(model, function)
    raw = torch.zeros(1, 8, model.representation.dim)
    term = JointTerm(numpy_height, model.representation, example(model))
    assert torch.isfinite(term(raw, torch.tensor([8]), PROMPTS[:1], None)).all()


def test_a_method_that_needs_no_gradient_takes_a_reward_without(model):
    in_groups = {**QUICK, "batch_size": 16}
    result = tuned(model, numpy_height, method="ddpo", updates=2, settings=in_groups)
    assert len(result.record.query("name == 'reward/numpy_height'")) == 2
    assert not torch.equal(weights(result), weights(model))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reward": lambda joints, text: joints[:, 0, 1]}, "not a number"),
        ({"reward": lambda joints, text: "high"}, "not a number"),
        ({"reward": {}}, "no reward"),
        ({"method": "easytun"}, "did you mean easytune"),
        ({"method": "easytune-spl"}, "stage spl alone"),
        ({"method": "pretraining"}, "learns from recorded motions"),
        ({"method": "best-of-4"}, "trains nothing"),
        ({"settings": {"learning_rate": 1.0}}, "unknown key 'learning_rate'"),
        ({"settings": {"updates": 3}}, "say updates="),
        ({"settings": {"validate_every": 3}}, "settings.validate_every"),
        ({"prompts": []}, "no sentence"),
        ({"seconds": 60.0}, "choose from"),
    ],
)
def test_bad_input_is_one_line(model, options, message):
    with pytest.raises(InputError, match=message):
        tuned(model, **options)


def test_a_reward_of_another_corpus_is_refused(model, reward_folder):
    reward = motionrft.load_reward(reward_folder)
    reward.store.about["compat"] = "acmdm"
    with pytest.raises(InputError, match="compat 'acmdm'"):
        tuned(model, reward)


def test_batches_go_round_the_sentences(model):
    prompts = SentencePrompts(model, PROMPTS, None, seed=3)
    batches = [prompts(k, 2) for k in range(3)]
    said = [sentence for batch in batches for sentence in batch.captions.sentences]
    assert sorted(said[:3]) == sorted(said[3:]) == sorted(PROMPTS)
    assert len({seed for batch in batches for seed in batch.seeds}) == 6
    again = prompts(1, 2)
    assert again.seeds == batches[1].seeds
    assert torch.equal(again.lengths, batches[1].lengths)
    piece = batches[0].rows(slice(1, 2))
    assert piece.captions.sentences == batches[0].captions.sentences[1:]
    assert torch.equal(piece.captions.to("cpu").tokens, batches[0].captions.tokens[1:])
