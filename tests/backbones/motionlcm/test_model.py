"""Consistency distillation: what starts from the teacher, what follows the student, exact resume."""

from __future__ import annotations

import pytest
import torch

from motionrft.errors import InputError
from motionrft.training.loop import TrainSettings, fit
from tests.backbones.small_latent_models import (
    condition,
    make,
    motions,
    texts,
)
from tests.same import assert_same

LENGTHS = [24, 12, 7]


def calls_of(module) -> list[int]:
    """Batch sizes of the module's calls, filled as they come."""
    calls: list[int] = []
    module.register_forward_hook(lambda _m, inputs, _o: calls.append(len(inputs[0])))
    return calls


@pytest.mark.usefixtures("float64")
def test_a_consistency_model_embeds_guidance_in_one_call():
    backbone = make("motionlcm")
    prompts, x = condition(LENGTHS), torch.randn(3, 1, 16)
    t = torch.tensor([10, 500, 900])
    calls = calls_of(backbone.denoiser)
    guided = backbone.guided(x, t, prompts, 7.5)
    assert calls == [3]
    w = torch.full((3,), 6.5)
    assert_same(guided, backbone.denoiser(x, t, prompts.text.pooled, w))
    unguided = backbone.predict(x, t, prompts)
    assert_same(unguided, backbone.guided(x, t, prompts, 1.0))
    assert not torch.allclose(guided, unguided, atol=1e-3)


def test_a_consistency_model_needs_a_guidance_embedding():
    with pytest.raises(InputError, match="guidance_width"):
        make("motionlcm", guidance_width=None)


PAIRS = [("mld", "motionlcm"), ("mldpp", "motionlcm-v2")]


def student_of(teacher: str, name: str, **changes):
    backbone = make(name, seed=1, **changes)
    backbone.start_from(make(teacher).state_dict(), "distill", "mld.safetensors")
    return backbone


@pytest.mark.parametrize(("teacher", "name"), PAIRS)
@pytest.mark.usefixtures("float64")
def test_the_student_starts_as_its_teacher_whatever_the_guidance(teacher, name):
    source, backbone = make(teacher), student_of(teacher, name)
    x, text = torch.randn(3, *source.sample_shape(24)), texts(3).pooled
    t, w = torch.tensor([1, 400, 999]), torch.tensor([5.0, 9.0, 15.0])
    expected = source.denoiser(x, t, text)
    assert_same(backbone.denoiser(x, t, text, w), expected)
    assert_same(backbone.teaching.teacher(x, t, text), expected)
    assert_same(backbone.teaching.target(x, t, text, w), expected)
    lengths = torch.tensor([24, 8, 4])
    assert_same(backbone.to_features(x, lengths), source.to_features(x, lengths))


def test_teacher_and_target_are_no_part_of_the_student():
    backbone = student_of("mld", "motionlcm")
    assert set(backbone.state_dict()) == set(make("motionlcm").state_dict())
    assert len(backbone.stage_parameters("distill")) == len(list(backbone.denoiser.parameters()))
    assert backbone.ema_target() is backbone.teaching.target


def test_no_teacher_no_distillation():
    with pytest.raises(InputError, match="--from"):
        make("motionlcm").pretrain_loss(
            motions([12]), condition([12]), "distill", torch.Generator().manual_seed(0)
        )


def test_a_teacher_of_another_size_is_named():
    with pytest.raises(InputError, match=r"mldpp\.safetensors"):
        make("motionlcm").start_from(make("mldpp").state_dict(), "distill", "mldpp.safetensors")


@pytest.mark.usefixtures("float64")
def test_the_target_is_an_exponential_average():
    backbone = student_of("mld", "motionlcm", distillation={"ema": 0.9})
    target = backbone.teaching.target.module.emb_proj[1].bias
    before = target.clone()
    with torch.no_grad():
        backbone.denoiser.emb_proj[1].bias += 1.0
    backbone.teaching.target.update()
    assert_same(target, before + 0.1)


@pytest.mark.usefixtures("float64")
def test_the_loss_compares_two_neighbouring_times_of_one_trajectory():
    """With a perfect consistency function for Gaussian data the loss would be zero; with j = 0 the
    target is the solver's clean end itself, since the boundary condition holds there."""
    backbone = student_of("mld", "motionlcm")
    start, end = backbone.solver_times(torch.tensor([0, 1, 49]))
    assert start.tolist() == [19, 39, 999]
    assert end.tolist() == [0, 19, 979]
    x, w = torch.randn(3, 1, 16), torch.full((3,), 6.0)
    zero = torch.zeros(3, dtype=torch.long)
    at_zero = backbone.consistency(backbone.denoiser, x, zero, texts(3).pooled, w)
    assert_same(at_zero, x)


def test_guidance_weights_and_steps_cover_their_ranges():
    backbone = student_of("mld", "motionlcm", distillation={"guidance": [2.0, 4.0]})
    seen = {"w": [], "t": []}

    def note(_module, inputs, _output):
        seen["t"].append(inputs[1])
        seen["w"].append(inputs[3])

    backbone.denoiser.register_forward_hook(note)
    for seed in range(20):
        backbone.pretrain_loss(
            motions([8] * 16), condition([8] * 16), "distill", torch.Generator().manual_seed(seed)
        )
    w, t = torch.cat(seen["w"]), torch.cat(seen["t"])
    assert w.min() >= 2.0
    assert w.max() <= 4.0
    assert w.max() - w.min() > 1.9
    assert set(t.tolist()) <= set(range(19, 1000, 20))
    assert len(set(t.tolist())) > 45


def run(folder, steps: int, stop: int | None = None):
    """Distils for `steps`; with `stop`, dies there and starts again from the checkpoint."""
    batch, prompts = motions([16, 8]), condition([16, 8])
    settings = TrainSettings(
        steps=steps, batch_size=2, lr=1e-3, clip=1.0, checkpoint_every=2, checkpoint_minutes=0
    )

    def once(last: int | None):
        backbone = student_of("mld", "motionlcm", dropout=0.1)

        def loss(step, generator):
            if step == last:
                raise KeyboardInterrupt
            return backbone.pretrain_loss(batch, prompts, "distill", generator)

        fit(
            backbone,
            backbone.stage_parameters("distill"),
            loss,
            settings,
            folder / "checkpoint.pt",
            label="distil",
            target=backbone.ema_target(),
        )
        return backbone

    if stop is not None:
        with pytest.raises(KeyboardInterrupt):
            once(stop)
    return once(None)


def test_resumed_distillation_ends_with_the_same_weights(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, resumed = run(tmp_path / "a", 6), run(tmp_path / "b", 6, stop=5)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    for ours, theirs in zip(
        whole.teaching.target.parameters(), resumed.teaching.target.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)
    first = student_of("mld", "motionlcm", dropout=0.1)
    assert not torch.equal(
        next(iter(first.denoiser.parameters())), next(iter(whole.denoiser.parameters()))
    )


def test_distillation_learns():
    backbone = student_of("mld", "motionlcm", distillation={"ema": 0.5})
    optimizer = torch.optim.Adam(backbone.stage_parameters("distill"), lr=2e-3)
    lengths, history = [16, 8, 12, 4] * 4, []
    batch, prompts = motions(lengths), condition(lengths)
    backbone.train()
    for step in range(60):
        generator = torch.Generator().manual_seed(step % 2)
        loss = backbone.pretrain_loss(batch, prompts, "distill", generator)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        backbone.teaching.target.update()
        history.append(float(loss.detach()))
    assert sum(history[-4:]) < 0.8 * sum(history[:4])


@pytest.mark.usefixtures("float64")
@torch.no_grad()
def test_a_solver_step_is_the_same_whatever_the_teacher_predicts():
    """One DDIM step of a teacher that says x_0, and of one that says the noise which that x_0 leaves."""
    at, prompts = torch.tensor([700, 300]), condition([12, 8])
    x, clean = torch.randn(2, 2, 1, 16, generator=torch.Generator().manual_seed(0))
    w = torch.ones(2)
    following = {}
    for prediction in ("epsilon", "sample"):
        backbone = make("motionlcm", prediction=prediction)
        process = backbone.forward_process
        noise = (x - process.signal[at][:, None, None] * clean) / process.noise[at][:, None, None]
        said = clean if prediction == "sample" else noise
        teacher = lambda x, t, text, said=said: torch.cat([said, said])  # noqa: E731
        following[prediction] = backbone.solver_step(teacher, x, at, at - 20, w, prompts)
        assert_same(backbone.clean(x, said, at), clean)
    assert_same(following["epsilon"], following["sample"])
