"""Which of a long diffusion process's time-steps a shorter sampler keeps.

diffusers offers 'leading' (stride N // K) and 'linspace'. The official code of MDM and MotionDiffuse
(improved-diffusion's) keeps other lists, and any list can be walked with the same algebra, since a
step needs only the cumulative alphas of its own and the next kept index. diffusers' DDIM assumes the
next index to be t - N // K instead, which is right for 'leading' only.
"""

from __future__ import annotations

from motionrft.errors import InputError


def kept_timesteps(steps: int, sections: str | int) -> list[int]:
    """The kept indices of an N-step process, ascending (improved-diffusion's `space_timesteps`).

    "ddimK": every s-th index from 0, s the smallest stride that keeps exactly K.
    "K" or "K1,K2,…": the process cut into equal sections, K_j indices in section j, endpoints included
    and the stride between them rounded to integers.
    Raises `InputError` for counts the process cannot give.
    """
    text = str(sections)
    if text.startswith("ddim"):
        return _strided(steps, _count(text, text.removeprefix("ddim")))
    counts = [_count(text, part) for part in text.split(",")]
    share, extra = divmod(steps, len(counts))
    kept, start = [], 0
    for section, count in enumerate(counts):
        size = share + (section < extra)
        if count > size:
            raise _impossible(text, f"a section of {size} steps cannot keep {count}")
        stride = (size - 1) / (count - 1) if count > 1 else 1.0
        kept += [start + round(stride * index) for index in range(count)]
        start += size
    return kept


def _strided(steps: int, count: int) -> list[int]:
    for stride in range(1, steps + 1):
        if len(range(0, steps, stride)) == count:
            return list(range(0, steps, stride))
    raise _impossible(f"ddim{count}", f"no integer stride keeps exactly {count} of {steps} steps")


def _count(text: str, part: str) -> int:
    if not part.strip().isdigit() or int(part) < 1:
        raise _impossible(text, f"{part!r} is not a positive number")
    return int(part)


def _impossible(text: str, problem: str) -> InputError:
    return InputError(
        problem, field=f"sampler.respacing: {text!r}", fix='write "ddimK", "K" or "K1,K2,…"'
    )
