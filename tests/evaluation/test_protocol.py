from __future__ import annotations

import numpy as np
import pytest
import torch

from motionrft.configuration import ROOT, load_run
from motionrft.errors import InputError
from motionrft.evaluation.protocol import MultiModalityPlan, Protocol, draw
from motionrft.evaluation.scores import NAN, score_embeddings, score_repeats
from motionrft.evaluation.settings import PROTOCOLS, EvaluateSettings, protocol
from motionrft.options import read_options
from reference.tolerance import UNIT

FRAMES = np.random.default_rng(0).integers(40, 220, size=150)
CAPTIONS = np.random.default_rng(1).integers(1, 5, size=150)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_draws_are_in_range_and_a_function_of_seed_and_replication(name):
    rules = protocol(name)
    one, same = (draw(FRAMES, CAPTIONS, rules, 3, 1) for _ in range(2))
    for key in ("rows", "captions", "begins", "lengths", "order", "diversity", "columns", "texts"):
        assert np.array_equal(np.asarray(getattr(one, key)), np.asarray(getattr(same, key))), key
    assert one.seeds == same.seeds
    other = draw(FRAMES, CAPTIONS, rules, 3, 2)
    assert one.seeds != other.seeds
    assert len(set(one.rows.tolist())) == len(one.rows)
    assert (one.captions < CAPTIONS[one.rows]).all()
    assert (one.begins >= 0).all()
    assert (one.begins + one.lengths <= FRAMES[one.rows]).all()
    assert one.lengths.max() <= 196
    assert int(one.order.max()) < one.generated
    assert int(one.diversity.max()) < one.generated
    first, second = one.columns.tolist()
    assert len(set(first)) == len(first) == rules.multimodality.pairs
    assert first != second


def test_the_rules_of_each_code_base():
    sound, t2m, mdm, hy = (
        draw(FRAMES, CAPTIONS, protocol(name, **changes), 0, 0)
        for name, changes in (
            ("sound", {}), ("t2m", {}), ("mdm", {"limit": 100}), ("hymotion", {}),
        )
    )  # fmt: skip
    assert (len(sound.rows), len(t2m.rows), len(mdm.rows), len(hy.rows)) == (150, 128, 128, 150)
    assert (sound.generated, t2m.generated, mdm.generated) == (150, 128, 96)
    assert (sound.lengths % 4 == 0).all()
    assert np.array_equal(hy.lengths, np.minimum(FRAMES, 196))
    assert not hy.captions.any()
    assert not hy.begins.any()
    assert hy.order.tolist() == list(range(150))
    assert t2m.order.tolist() == list(range(128))  # the loader's batches are the groups
    assert sorted(sound.order.tolist()) == list(range(150))
    assert sound.order.tolist() != list(range(150))
    third = (sound.lengths < np.minimum(FRAMES[sound.rows], 196) // 4 * 4).mean()
    assert 0.2 < third < 0.47


def test_the_papers_sizes_leave_each_protocol_its_own_numbers():
    section = load_run(ROOT / "config" / "humanml3d.yaml")["evaluate"]
    plans = {
        name: read_options(EvaluateSettings, {**section, "protocol": name}).rules().multimodality
        for name in PROTOCOLS
    }
    assert {name: plan.texts for name, plan in plans.items()} == {
        "sound": 100, "t2m": 100, "mdm": 128, "mld": 100, "acmdm": 96, "hymotion": 100,
    }  # fmt: skip
    assert {(plan.repeats, plan.pairs, plan.replications) for plan in plans.values()} == {
        (30, 10, 5)
    }


def test_hymotion_pairs_at_most_half_the_motions():
    hy = draw(FRAMES, CAPTIONS, protocol("hymotion"), 0, 0)
    assert hy.diversity.shape == (2, 75)
    assert draw(FRAMES, CAPTIONS, protocol("sound"), 0, 0).diversity.shape == (2, 150)


def test_the_second_pass_is_another_draw():
    rules = protocol("sound")
    first, second = (draw(FRAMES, CAPTIONS, rules, 0, 0, second=flag) for flag in (False, True))
    assert not np.array_equal(first.begins, second.begins)


def test_repeats_of_a_prompt_have_noise_of_their_own():
    one = draw(FRAMES, CAPTIONS, protocol("sound"), 0, 0)
    seeds = one.repeat_seeds(0, 5) + one.repeat_seeds(1, 5)
    assert len(set(seeds)) == 10
    assert one.repeat_seeds(0, 5) == seeds[:5]


def test_multimodality_takes_no_subset_twice():
    """Of two repeats every other draw would: all distances 0, whatever the model makes."""
    rules = Protocol(multimodality=MultiModalityPlan(texts=8, repeats=2, pairs=2))
    for seed in range(20):
        first, second = draw(np.full(64, 60), np.ones(64, int), rules, seed, 0).columns.tolist()
        assert first == second[::-1]


def test_bad_settings():
    with pytest.raises(InputError, match="unknown protocol 'best'"):
        protocol("best")
    with pytest.raises(InputError, match="20 motions make no group of 32"):
        draw(FRAMES[:20], CAPTIONS[:20], protocol("sound"), 0, 0)
    with pytest.raises(InputError, match="unknown key 'reps'"):
        read_options(EvaluateSettings, {"reps": 3}, where="config/x.yaml")
    rules = read_options(EvaluateSettings, {"multimodality": {"texts": 5}, "group": 8}).rules()
    assert (rules.multimodality.texts, rules.multimodality.repeats, rules.group) == (5, 30, 8)


def scored(motions, name="sound", **changes):
    rules = protocol(name, **changes)
    drawn = draw(FRAMES, CAPTIONS, rules, 0, 0)
    texts = torch.randn(len(drawn.rows), 6, generator=torch.Generator().manual_seed(0))
    count = drawn.generated
    made = texts[:count].clone() if motions is None else motions(texts[:count].clone())
    return score_embeddings(texts[:count], made, texts, drawn, rules)


def test_perfect_motions():
    metrics, rows = scored(None)
    assert [metrics[f"R-Precision Top-{k}"] for k in (1, 2, 3)] == [1.0, 1.0, 1.0]
    assert metrics["FID"] == pytest.approx(0.0, abs=1e-8)
    assert metrics["MM-Dist"] == 0.0
    assert metrics["M2T R@1 full"] == 100.0
    # the tail of 150 = 4 x 32 + 22 is ranked by nobody, but counts elsewhere
    assert int(rows["rank"].isnan().sum()) == 22
    assert not rows["matching"].isnan().any()


def test_broken_motions_are_counted_and_nothing_else_breaks():
    def broken(motions):
        motions[:10] = float("nan")
        motions[10] = float("inf")
        return motions

    metrics, rows = scored(broken)
    assert metrics["non_finite"] == 11
    assert 0.8 < metrics["R-Precision Top-1"] < 1.0
    assert np.isfinite([metrics["FID"], metrics["MM-Dist"], metrics["Diversity"]]).all()
    assert metrics["MM-Dist"] == 0.0
    assert rows["top1"].nansum() == 128 * metrics["R-Precision Top-1"]
    nothing, _ = scored(lambda motions: torch.full_like(motions, NAN))
    assert nothing["R-Precision Top-3"] == 0.0
    assert np.isnan([nothing["FID"], nothing["MM-Dist"], nothing["Diversity"]]).all()
    assert nothing["non_finite"] == 150


def test_hymotion_keeps_the_short_last_group_and_unit_length():
    metrics, rows = scored(lambda motions: 5 * motions, "hymotion")
    # the length of a difference of unit vectors, six numbers each rounded twice
    assert metrics["MM-Dist"] < 2 * UNIT * 6**0.5
    assert not rows["rank"].isnan().any()


def test_multimodality_leaves_broken_texts_out():
    rules = protocol("sound", multimodality={"texts": 3, "repeats": 4, "pairs": 2})
    drawn = draw(FRAMES, CAPTIONS, rules, 0, 0)
    motions = torch.zeros(3, 4, 2)
    motions[0, 2] = NAN
    motions[2, :, 0] = torch.tensor([0.0, 1.0, 10.0, 100.0])
    first, second = drawn.columns
    expected = (motions[2, first, 0] - motions[2, second, 0]).abs().mean() / 2
    assert score_repeats(motions, drawn, rules) == pytest.approx(float(expected))
    assert np.isnan(score_repeats(torch.full((3, 4, 2), NAN), drawn, rules))
