"""A motion and a sentence to scores, with a trained reward alone."""

from __future__ import annotations

from pathlib import Path

from motionrft.cli.app import app


@app.command
def score(
    motion: Path,
    sentence: str | None = None,
    /,
    *,
    reward: Path,
    features: Path | None = None,
    encoder: Path | None = None,
    body_models: Path | None = None,
    csv: Path | None = None,
    device: str = "auto",
) -> None:
    """Score motions by a trained reward, and among recorded motions.

    Of each term, of their total by the run's weights: the score, and how many
    per cent of the corpus's recorded test motions score lower with their own
    captions.

    For example:
        python -m motionrft score wave.npz "a person waves the left hand" \\
            --reward results/toy/reward
        python -m motionrft score my_takes --reward results/toy/reward \\
            --csv scores.csv

    Parameters
    ----------
    motion
        A .bvh, an .npz of `generate` or of SMPL poses (AMASS), an .npy of joints or features; or a folder of them
        with a table captions.csv.
    sentence
        What the motion should be (default: the caption that the .npz names, or the folder's table).
    reward
        Folder of the reward's stage files, in its run.
    features
        Feature store folder with the corpus's statistics (default: that of the reward's run).
    encoder
        Folder of the reward's text encoder (default: that of its run).
    body_models
        Folder of the body models that SMPL poses move (files of export-motion have theirs).
    csv
        Table to write, a row a motion.
    device
        Where to compute: auto, cpu or cuda.
    """
    from motionrft.device import pick_device
    from motionrft.files import atomic
    from motionrft.inference.captioned import captioned_motions
    from motionrft.inference.reward import load_reward

    names, motions, sentences = captioned_motions(motion, sentence, body_models)
    scorer = load_reward(reward, features=features, encoder=encoder, device=pick_device(device))
    table = scorer.score(motions, sentences)
    table.insert(0, "motion", names)
    for row in table.to_dict("records"):
        print(f"{row['motion']}: “{row['sentence']}”")
        for name in (*scorer.reward.dimensions, "total"):
            print(
                f"  {name:<13} {row[name]:8.4f}   above {row[f'{name}_percentile']:3.0f} % of recorded"
            )
    if csv is not None:
        with atomic(csv) as temporary:
            table.to_csv(temporary, index=False)
        print(f"wrote {csv}")
