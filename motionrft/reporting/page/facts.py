"""When and where a run was made, and how long it took."""

from __future__ import annotations

import pandas as pd

from motionrft.reporting.records import Records


def duration(seconds: float) -> str:
    """1 h 05 min, 9 min 06 s or 12 s."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def facts(records: Records, jobs: pd.DataFrame) -> str:
    """Date of the last fine-tuning or evaluation, devices, jobs with their processor and wall time, in one line."""
    origins = records.origins
    parts = []
    finished = max((origin.get("finished", "") for origin in origins), default="")
    if finished:
        parts.append(finished[:10])
    devices = dict.fromkeys(origin["device"] for origin in origins if "device" in origin)
    if devices:
        parts.append("on " + ", ".join(devices))
    if len(jobs):
        spent = (duration(jobs[name].fillna(0).sum()) for name in ("wall_s", "cpu_s"))
        wall, cpu = spent
        parts.append(f"{len(jobs)} jobs, {wall} in all ({cpu} of processor time)")
    return "; ".join(parts)
