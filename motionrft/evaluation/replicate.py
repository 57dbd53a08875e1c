"""All replications of a protocol for one model: resumable, and identical however often it was killed."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from motionrft.corpus.samples import Samples, write_samples
from motionrft.evaluation.scorer import Result, Scorer
from motionrft.files import digest, read_table, write_table
from motionrft.metrics.statistics import interval95

LOG = logging.getLogger(__name__)
# replication number -> its scores
Replicate = Callable[[int], Result]


def replicate(
    scorer: Scorer,
    one: Replicate,
    out: str | Path,
    replications: int,
    about: dict[str, Any],
    *,
    keep_samples: int = 32,
    finish: Callable[[], dict[str, Any]] = dict,
) -> pd.DataFrame:
    """Writes replications.parquet (replication, metric, value), per_prompt.parquet (replication, clip,
    caption, matching, rank, top1, top2, top3, fid) and samples.safetensors (the first `keep_samples` prompts of
    replication 0) into the folder `out`.

    Finished replications are kept under `out/.partial` until the end; a second start with the same
    `about` takes them up. `finish` adds facts (provenance) to the header when all is done.
    """
    out = Path(out)
    partial = out / ".partial"
    key = digest({**about, "corpus": scorer.corpus})
    tables: list[tuple[pd.DataFrame, pd.DataFrame]] = []
    taken_up = 0
    for replication in range(replications):
        scores, prompts = (
            partial / f"{kind}{replication}.parquet" for kind in ("scores", "prompts")
        )
        lost = replication == 0 and not (out / "samples.safetensors").exists()
        if lost or not _finished(scores, prompts, key):
            if taken_up:
                LOG.info("goes on from replication %d of %d", replication + 1, replications)
                taken_up = 0
            began = time.monotonic()
            result = one(replication)
            if replication == 0:
                write_samples(
                    out / "samples.safetensors", first(result.samples, keep_samples, about)
                )
            frame = pd.DataFrame(
                {"metric": list(result.metrics), "value": list(result.metrics.values())}
            )
            frame.insert(0, "replication", replication)
            result.prompts.insert(0, "replication", replication)
            write_table(prompts, result.prompts, {"key": key})
            write_table(scores, frame, {"key": key})
            LOG.info(
                "replication %d of %d  %.1f s  %s",
                replication + 1,
                replications,
                time.monotonic() - began,
                "  ".join(
                    f"{name} {result.metrics[name]:.3f}" for name in ("R-Precision Top-1", "FID")
                ),
            )
        else:
            taken_up += 1
        tables.append((read_table(scores)[0], read_table(prompts)[0]))
    facts = {**about, **finish()}
    whole = pd.concat([scores for scores, _ in tables], ignore_index=True)
    write_table(
        out / "per_prompt.parquet",
        pd.concat([rows for _, rows in tables], ignore_index=True),
        facts,
    )
    write_table(out / "replications.parquet", whole, facts)
    shutil.rmtree(partial, ignore_errors=True)
    return whole


def _finished(scores: Path, prompts: Path, key: str) -> bool:
    if not (scores.exists() and prompts.exists()):
        return False
    return all(read_table(path)[1].get("key") == key for path in (scores, prompts))


def first(samples: Samples, count: int, about: dict[str, Any]) -> Samples:
    """The leading `count` samples, with `about` for their header."""
    return replace(
        samples,
        features=samples.features[:count],
        joints=samples.joints[:count],
        captions=samples.captions[:count],
        clips=samples.clips[:count],
        about=dict(about),
    )


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns metric, mean, interval (95 %) over replications, in the order of the record."""
    rows = []
    for metric, group in frame.groupby("metric", sort=False):
        mean, half = interval95(group["value"])
        rows.append({"metric": metric, "mean": float(mean), "interval": float(half)})
    return pd.DataFrame(rows)
