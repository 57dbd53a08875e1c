"""Generated motions as files: arrays, a page that plays them, films."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from motionrft.inference.motion import Motion
from motionrft.player.film import pictures, write_gif, write_mp4
from motionrft.player.page import write_player

ENDINGS = (".npz", ".html", ".gif", ".mp4")


def write_motions(
    out: str | Path,
    models: Sequence[str],
    motions: Sequence[Sequence[Motion]],
    *,
    mp4: bool = False,
) -> list[Path]:
    """Files whose names begin with `out`; the paths written.

    motions: of each model, the same sentences in the same order. The first model's go to <out>.npz, the second's to
    <out>-beside.npz; <out>.html and the films show both. Several sentences are numbered.
    """
    out = Path(out)
    out = out.with_suffix("") if out.suffix in ENDINGS else out  # "wave.npz" names what "wave" does
    first = motions[0]
    names = (
        list(models) if len(set(models)) == len(models) else [*models[:1], f"{models[1]} beside"]
    )
    stems = [out.name if len(first) == 1 else f"{out.name}-{n}" for n in range(1, len(first) + 1)]
    skeleton, fps = first[0].skeleton, first[0].fps
    written = []
    for ending, clips in zip(("", "-beside"), motions, strict=False):
        for stem, motion in zip(stems, clips, strict=True):
            written.append(out.with_name(f"{stem}{ending}.npz"))
            motion.save(written[-1])
    for row, stem in enumerate(stems):
        shown = {name: [clips[row].joints] for name, clips in zip(names, motions, strict=True)}
        written.append(out.with_name(f"{stem}.gif"))
        write_gif(written[-1], pictures(shown, skeleton, fps))
        if mp4:
            written.append(out.with_name(f"{stem}.mp4"))
            write_mp4(written[-1], pictures(shown, skeleton, fps, film_fps=fps), fps)
    written.append(out.with_name(f"{out.name}.html"))
    write_player(
        written[-1],
        [motion.caption for motion in first],
        {
            name: [motion.joints for motion in clips]
            for name, clips in zip(names, motions, strict=True)
        },
        skeleton,
        fps,
        note="The same sentence and the same noise." if len(names) > 1 else "",
    )
    return written
