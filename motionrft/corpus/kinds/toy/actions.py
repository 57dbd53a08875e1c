"""The sixteen actions: each poses the puppet and returns three phrases that say what is in the clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from motionrft.corpus.kinds.toy.draw import COUNTS, Draw
from motionrft.corpus.kinds.toy.puppet import SIDES, Pose, smoothstep, standing_height, walk_feet

FPS = 20.0
Action = Callable[[Draw, Pose], list[str]]


def _travel(draw: Draw, pose: Pose, speed: float, direction: float, curve: float) -> None:
    """The path of a body that moves `speed` m/s towards `direction` (0 = ahead) while it turns `curve` rad."""
    time = np.arange(draw.frames) / (draw.frames - 1)
    pose.heading = curve * time
    step = (
        speed
        / FPS
        * np.stack([np.sin(pose.heading + direction), np.cos(pose.heading + direction)], -1)
    )
    pose.path = np.cumsum(step, 0)


def _swing_arms(pose: Pose, cycle: float, phase: float, amplitude: float, elbow: float) -> None:
    swing = np.sin(2 * np.pi * (np.arange(len(pose.heading)) / cycle + phase))
    for side, sign in SIDES.items():
        pose.arms[side].flexion = 0.05 - sign * amplitude * swing
        pose.arms[side].elbow = elbow + 0.2 * amplitude * (1 - sign * swing)


@dataclass(frozen=True)
class Gait:
    """Steps of `cycle` frames; a foot stands for the share `duty` of them and rises by `lift` metres between; the
    arms swing by `swing` radians, bent by `elbow`."""

    cycle: float
    duty: float
    lift: float
    swing: float
    elbow: float


def _walk(
    draw: Draw, pose: Pose, gait: Gait, speed: float, direction: float = 0.0, curve: float = 0.0
) -> None:
    phase = draw.rng.uniform()
    _travel(draw, pose, speed, direction, curve)
    walk_feet(pose, draw.size, gait.cycle, gait.duty, gait.lift, phase)
    _swing_arms(pose, gait.cycle, phase, gait.swing, gait.elbow)
    beat = 2 * np.pi * (np.arange(draw.frames) / gait.cycle + phase)
    pose.roll = 0.03 * np.sin(beat)
    pose.twist = 0.08 * np.sin(beat)


def walk(draw: Draw, pose: Pose) -> list[str]:
    backward = draw.rng.uniform() < 0.25
    bend = int(draw.rng.integers(3)) if not backward else 0
    curve = (0.0, 1.0, -1.0)[bend] * draw.rng.uniform(1.0, 2.0)
    speed = (0.7 if backward else 1.0) * draw.tempo() * draw.rng.uniform(0.9, 1.1)
    gait = Gait(cycle=22 / draw.tempo(), duty=0.62, lift=0.1, swing=0.35, elbow=0.3)
    _walk(draw, pose, gait, speed, np.pi if backward else 0.0, curve)
    where = (
        "backward"
        if backward
        else ("forward", "in a curve to the left", "in a curve to the right")[bend]
    )
    return [f"walks {where} {draw.adverb}", f"{draw.adverb} walks {where}", f"is walking {where}"]


def run(draw: Draw, pose: Pose) -> list[str]:
    bend = int(draw.rng.integers(3))
    curve = (0.0, 1.0, -1.0)[bend] * draw.rng.uniform(1.0, 2.0)
    tempo = draw.tempo()
    gait = Gait(cycle=14 / tempo, duty=0.4, lift=0.22, swing=0.8, elbow=1.4)
    _walk(draw, pose, gait, 2.2 * tempo, curve=curve)
    pose.pitch = pose.pitch + 0.2
    where = ("forward", "in a curve to the left", "in a curve to the right")[bend]
    return [f"runs {where} {draw.adverb}", f"jogs {where} {draw.adverb}", f"is running {where}"]


def sidestep(draw: Draw, pose: Pose) -> list[str]:
    side = draw.side()
    speed = 0.55 * draw.tempo()
    gait = Gait(cycle=20 / draw.tempo(), duty=0.6, lift=0.07, swing=0.05, elbow=0.3)
    _walk(draw, pose, gait, speed, SIDES[side] * np.pi / 2)
    return [
        f"steps sideways to the {side} {draw.adverb}",
        f"moves {draw.adverb} to the {side} with side steps",
        f"sidesteps to the {side}",
    ]


def turn(draw: Draw, pose: Pose) -> list[str]:
    side = draw.side()
    half = draw.rng.uniform() < 0.5
    angle = (np.pi if half else np.pi / 2) * draw.rng.uniform(0.9, 1.1)
    time = np.arange(draw.frames) / (draw.frames - 1)
    share = (0.9, 0.7, 0.45)[draw.speed]
    pose.heading = SIDES[side] * angle * smoothstep((time - (1 - share) / 2) / share)
    walk_feet(pose, draw.size, 18 / draw.tempo(), 0.6, 0.06, draw.rng.uniform())
    amount = "around" if half else "a quarter"
    return [
        f"turns {amount} to the {side} {draw.adverb}",
        f"makes a {side} turn {draw.adverb}",
        f"rotates {'180' if half else '90'} degrees to the {side}",
    ]


def march(draw: Draw, pose: Pose) -> list[str]:
    cycle, phase = 22 / draw.tempo(), draw.rng.uniform()
    walk_feet(pose, draw.size, cycle, 0.55, draw.rng.uniform(0.25, 0.38), phase)
    _swing_arms(pose, cycle, phase, 0.7, 0.8)
    return [
        f"marches in place {draw.adverb}",
        f"lifts the knees high on the spot {draw.adverb}",
        "is marching on the spot",
    ]


def jump(draw: Draw, pose: Pose) -> list[str]:
    forward = draw.rng.uniform() < 0.4
    count = draw.count()
    height = draw.rng.uniform(0.18, 0.4)
    lap = draw.frames / count
    u = (np.arange(draw.frames) % lap) / lap
    flight = np.clip((u - 0.42) / 0.26, 0.0, 1.0)
    rise = height * 4 * flight * (1 - flight)
    crouch = 0.28 * (
        np.sin(np.pi * np.clip(u / 0.42, 0, 1)) ** 2
        + 0.7 * np.sin(np.pi * np.clip((u - 0.68) / 0.32, 0, 1)) ** 2
    )
    pose.height = pose.height + rise - crouch * draw.size
    travel = (draw.rng.uniform(0.3, 0.6) if forward else 0.0) * (
        np.floor(np.arange(draw.frames) / lap) + smoothstep(flight)
    )
    pose.path[:, 1] = travel
    for side in SIDES:
        pose.feet[side][:, 1] += rise
        pose.feet[side][:, 2] += travel
        pose.toe_pitch[side] = 0.6 * np.sin(np.pi * flight)
        pose.arms[side].flexion = (
            0.1 + 1.6 * np.sin(np.pi * np.clip((u - 0.3) / 0.45, 0, 1)) - 0.6 * crouch
        )
    pose.pitch = pose.pitch + 1.2 * crouch
    where = "forward" if forward else "up"
    return [
        f"jumps {where} {COUNTS[count]}",
        f"{'hops' if count > 1 else 'leaps'} {where} {COUNTS[count]}",
        f"jumps {where}",
    ]


def squat(draw: Draw, pose: Pose) -> list[str]:
    count = draw.count()
    deep = draw.rng.uniform() < 0.5
    down = draw.pulses(count) * (
        draw.rng.uniform(0.42, 0.5) if deep else draw.rng.uniform(0.2, 0.28)
    )
    pose.height = pose.height - down * draw.size
    pose.path[:, 1] -= 0.25 * down
    pose.pitch = pose.pitch + 1.3 * down
    for side in SIDES:
        pose.arms[side].flexion = 0.05 + 3.0 * down
    how = "deeply" if deep else "slightly"
    return [
        f"squats {how} {COUNTS[count]}",
        f"bends the knees {how} and rises {COUNTS[count]}",
        f"does a squat {COUNTS[count]}",
    ]


def kick(draw: Draw, pose: Pose) -> list[str]:
    side, count = draw.side(), draw.count(2)
    high = draw.rng.uniform() < 0.5
    out = draw.pulses(count, (0.8, 0.7, 0.5)[draw.speed])
    reach = 0.72 if high else 0.55
    pose.feet[side][:, 1] += (
        out * (draw.rng.uniform(0.6, 0.75) if high else draw.rng.uniform(0.2, 0.3)) * draw.size
    )
    pose.feet[side][:, 2] += out * reach * draw.size
    pose.toe_pitch[side] = -0.8 * out
    pose.path[:, 0] -= SIDES[side] * 0.05 * smoothstep(gaussian_filter1d(out, 3) * 2)
    pose.pitch = pose.pitch - 0.2 * out
    for name in SIDES:
        pose.arms[name].abduction = pose.arms[name].abduction + 0.5 * out
    how = "high" if high else "low"
    return [
        f"kicks {how} with the {side} leg {COUNTS[count]}",
        f"gives a {how} kick with the {side} foot",
        f"kicks with the {side} leg {COUNTS[count]}",
    ]


def wave(draw: Draw, pose: Pose) -> list[str]:
    which = str(draw.rng.choice(["left", "right", "both"]))
    up = draw.plateau(0.2)
    beat = np.sin(2 * np.pi * np.arange(draw.frames) * draw.tempo() / 14)
    for side in SIDES if which == "both" else (which,):
        pose.arms[side].abduction = 0.18 + up * draw.rng.uniform(1.3, 1.8)
        pose.arms[side].swing = up * (0.9 + 0.5 * beat)
        pose.arms[side].elbow = 0.25 * (1 - up)
    hand = "both hands" if which == "both" else f"the {which} hand"
    return [
        f"waves {hand} {draw.adverb}",
        f"{draw.adverb} waves with {hand}",
        f"greets by waving {hand}",
    ]


def raise_arms(draw: Draw, pose: Pose) -> list[str]:
    which = str(draw.rng.choice(["left", "right", "both"]))
    sideways = draw.rng.uniform() < 0.5
    up = draw.plateau((0.45, 0.3, 0.15)[draw.speed]) * draw.rng.uniform(2.4, 2.9)
    for side in SIDES if which == "both" else (which,):
        arm = pose.arms[side]
        if sideways:
            arm.abduction = 0.18 + up
        else:
            arm.flexion = 0.05 + up
    arm_name = "both arms" if which == "both" else f"the {which} arm"
    where = "sideways" if sideways else "in front"
    return [
        f"raises {arm_name} {where} {draw.adverb}",
        f"lifts {arm_name} up {where}",
        f"{draw.adverb} raises {arm_name}",
    ]


def punch(draw: Draw, pose: Pose) -> list[str]:
    side, count = draw.side(), draw.count()
    out = draw.pulses(count, (0.85, 0.7, 0.5)[draw.speed])
    guard = draw.plateau(0.15)
    for name in SIDES:
        pose.arms[name].flexion = 0.05 + 0.5 * guard
        pose.arms[name].elbow = 0.25 + 1.9 * guard
    pose.arms[side].flexion = pose.arms[side].flexion + 0.95 * out
    pose.arms[side].elbow = pose.arms[side].elbow * (1 - out)
    pose.twist = pose.twist - SIDES[side] * 0.5 * out
    return [
        f"punches with the {side} hand {COUNTS[count]}",
        f"throws a {side} punch {draw.adverb}",
        f"{draw.adverb} punches {COUNTS[count]} with the {side} fist",
    ]


def clap(draw: Draw, pose: Pose) -> list[str]:
    high = draw.rng.uniform() < 0.35
    up = draw.plateau(0.15)
    beat = 0.5 + 0.5 * np.sin(2 * np.pi * np.arange(draw.frames) * draw.tempo() / 10)
    for side in SIDES:
        pose.arms[side].flexion = 0.05 + up * (2.7 if high else 1.3)
        pose.arms[side].abduction = 0.18 + up * (0.55 * beat - 0.35)
        pose.arms[side].elbow = 0.25 + up * 0.2
    where = "above the head" if high else "in front of the chest"
    return [
        f"claps the hands {where} {draw.adverb}",
        f"is clapping {where}",
        f"claps {draw.adverb}",
    ]


def sit(draw: Draw, pose: Pose) -> list[str]:
    rises = draw.rng.uniform() < 0.5
    u = np.arange(draw.frames) / (draw.frames - 1)
    share = (0.4, 0.3, 0.2)[draw.speed]
    down = smoothstep((u - 0.1) / share) * (smoothstep((0.95 - u) / share) if rises else 1.0)
    pose.height = pose.height - down * (standing_height(draw.size) - 0.5 * draw.size)
    pose.path[:, 1] -= 0.38 * draw.size * down
    pose.pitch = pose.pitch + 0.9 * np.sin(np.pi * down) + 0.1 * down
    for side in SIDES:
        pose.arms[side].flexion = 0.05 + 0.6 * down
        pose.arms[side].elbow = 0.25 + 0.7 * down
    if rises:
        return [
            f"sits down and stands up again {draw.adverb}",
            f"sits on a chair {draw.adverb}, then gets up",
            "takes a seat and rises",
        ]
    return [
        f"sits down {draw.adverb}",
        f"{draw.adverb} takes a seat on a chair",
        "sits on a chair and stays seated",
    ]


def bow(draw: Draw, pose: Pose) -> list[str]:
    count = draw.count(2)
    deep = draw.rng.uniform() < 0.5
    down = draw.pulses(count, (0.9, 0.8, 0.6)[draw.speed]) * (1.3 if deep else 0.55)
    pose.pitch = pose.pitch + down
    pose.path[:, 1] -= 0.1 * down
    how = "deeply" if deep else "slightly"
    return [
        f"bows {how} {COUNTS[count]}",
        f"bends forward {how} {draw.adverb}",
        f"{draw.adverb} bows {COUNTS[count]}",
    ]


def lean(draw: Draw, pose: Pose) -> list[str]:
    side, count = draw.side(), draw.count(2)
    over = draw.pulses(count) * draw.rng.uniform(0.5, 0.8)
    pose.roll = pose.roll - SIDES[side] * over
    for name in SIDES:
        pose.arms[name].abduction = pose.arms[name].abduction + 0.4 * over
    return [
        f"leans to the {side} {COUNTS[count]}",
        f"bends the upper body to the {side}",
        f"stretches sideways to the {side} {COUNTS[count]}",
    ]


def idle(draw: Draw, pose: Pose) -> list[str]:
    posture = int(draw.rng.integers(3))
    if posture == 1:
        for side in SIDES:
            pose.arms[side].abduction = pose.arms[side].abduction + 0.5
            pose.arms[side].elbow = pose.arms[side].elbow + 1.3
    if posture == 2:
        for side in SIDES:
            pose.arms[side].flexion = pose.arms[side].flexion + 0.6
            pose.arms[side].elbow = pose.arms[side].elbow + 1.9
    how = ("", " with the hands on the hips", " with the arms crossed")[posture]
    return [f"stands still{how}", f"is standing{how}", f"stays on the spot{how}"]


ACTIONS: dict[str, tuple[Action, float]] = {  # with how often each is drawn
    "walk": (walk, 2.0),
    "run": (run, 1.5),
    "sidestep": (sidestep, 1.0),
    "turn": (turn, 1.2),
    "march": (march, 0.7),
    "jump": (jump, 1.2),
    "squat": (squat, 1.0),
    "kick": (kick, 1.3),
    "wave": (wave, 1.3),
    "raise": (raise_arms, 1.3),
    "punch": (punch, 1.2),
    "clap": (clap, 0.8),
    "sit": (sit, 1.0),
    "bow": (bow, 0.9),
    "lean": (lean, 0.9),
    "idle": (idle, 0.6),
}
GESTURES: tuple[tuple[Action, str], ...] = (
    (wave, "walking"),
    (raise_arms, "walking"),
    (clap, "walking"),
)
