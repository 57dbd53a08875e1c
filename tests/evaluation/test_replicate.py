from __future__ import annotations

import pandas as pd
import pytest

from motionrft.corpus.samples import read_samples
from motionrft.evaluation.replicate import replicate, summary
from motionrft.files import read_table


def test_replications_are_tidy_resumable_and_equal(scorer, tmp_path):
    calls = []

    def one(replication):
        calls.append(replication)
        if (
            len(calls) == 2
            and tmp_path.joinpath("a").exists()
            and not tmp_path.joinpath("b").exists()
        ):
            raise KeyboardInterrupt
        return scorer.score_real(replication)

    about = {"corpus_digest": scorer.corpus, "evaluator_digest": "e"}
    with pytest.raises(KeyboardInterrupt):
        replicate(scorer, one, tmp_path / "a", 3, about)
    assert not (tmp_path / "a" / "replications.parquet").exists()
    (tmp_path / "b").mkdir()
    resumed = replicate(
        scorer, one, tmp_path / "a", 3, about, keep_samples=4, finish=lambda: {"x": 1}
    )
    assert calls == [0, 1, 1, 2]
    whole = replicate(scorer, scorer.score_real, tmp_path / "b", 3, about, keep_samples=4)
    pd.testing.assert_frame_equal(resumed, whole)
    frame, header = read_table(tmp_path / "a" / "replications.parquet")
    assert list(frame.columns) == ["replication", "metric", "value"]
    assert header["corpus_digest"] == scorer.corpus
    assert header["x"] == 1
    prompts, _ = read_table(tmp_path / "a" / "per_prompt.parquet")
    scores = ["matching", "rank", "top1", "top2", "top3", "fid"]
    assert list(prompts.columns) == ["replication", "clip", "caption", *scores]
    assert len(prompts) == 3 * 40
    assert not (tmp_path / "a" / ".partial").exists()
    means = summary(frame).set_index("metric")["mean"]
    top1 = prompts.groupby("replication")["top1"].mean().mean()
    assert means["R-Precision Top-1"] == pytest.approx(top1)
    of_prompts = prompts.groupby("replication")[["top3", "fid"]].mean().mean()
    assert means["R-Precision Top-3"] == pytest.approx(of_prompts["top3"])
    assert means["FID"] == pytest.approx(of_prompts["fid"])


def test_other_settings_do_not_take_up_old_replications(scorer, tmp_path):
    calls = []

    def one(replication):
        calls.append(replication)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return scorer.score_real(replication)

    with pytest.raises(KeyboardInterrupt):
        replicate(scorer, one, tmp_path, 2, {"model_digest": "a"})
    replicate(scorer, one, tmp_path, 1, {"model_digest": "b"}, keep_samples=2)
    assert calls == [0, 1, 0]
    assert len(read_samples(tmp_path / "samples.safetensors")) == 2
