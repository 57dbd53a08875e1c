"""`kind: amass`: HumanML3D made from its sources, raw AMASS (SMPL+H G) motions and the SMPL+H body models.

Follows the official preparation: body joints at every int(fps / 20)-th frame (no interpolation, so 59.94 fps
becomes 29.97), y and z exchanged, the start of some subsets cut, the segment of index.csv, x negated, and a
mirrored twin (`M…`) of each. HumanAct12 comes as ready joints and is taken whole. Features are extracted from the
whole clip before captions cut it into parts.

`corpus:` keys: amass_dir (SUBSET/…/NAME_poses.npz, and humanact12/…/NAME.npy), body_models_dir (SMPL+H:
male/model.npz, female/model.npz), humanml3d_dir (index.csv, texts, split files), compat, on_error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionrft.contents import read_array, read_arrays
from motionrft.corpus.official.extract import extracted_clips, with_mirrored
from motionrft.corpus.official.index import Segment, by_source, read_index
from motionrft.corpus.official.layout import (
    HUMANML3D_LAYOUT,
    OFFICIAL_FPS,
    SPLIT_FILES,
    TEXTS,
    root_of,
)
from motionrft.corpus.official.reader import read_frames, read_splits
from motionrft.corpus.official.texts import Texts
from motionrft.corpus.report import Report
from motionrft.corpus.store import Clip
from motionrft.errors import InputError
from motionrft.motion.skeleton import SMPL_22
from motionrft.progress import progress

FPS = OFFICIAL_FPS
JOINTS = 52  # of SMPL+H: the body's 22 and both hands
# the names that later releases of AMASS give to subsets of index.csv
RENAMED = {
    "BioMotionLab_NTroje": "BMLrub",
    "DFaust_67": "DFaust",
    "MPI_HDM05": "HDM05",
    "MPI_Limits": "PosePrior",
    "MPI_mosh": "MoSh",
    "SSM_synced": "SSM",
    "TCD_handMocap": "TCDHands",
    "Transitions_mocap": "Transitions",
}
NUMBERS = ("poses", "trans", "betas")
KEYS = (*NUMBERS, "gender")
RATES = ("mocap_framerate", "mocap_frame_rate")  # as the releases of SMPL+H and of SMPL-X call it
FASTEST = 1e4  # frames a second; more is no recording
REPAIR = "use the SMPL+H G files"
FRAMES = 256  # of a motion at once: the skinning of 6,890 vertices takes 1 MB a frame
# frames cut from the start of every motion of a subset (a T-pose, a count-in)
PREFIX = {
    "Eyes_Japan_Dataset": 60,
    "MPI_HDM05": 60,
    "TotalCapture": 20,
    "MPI_Limits": 20,
    "Transitions_mocap": 10,
}
PREMADE = "humanact12"
OWNERS = {
    "amass_dir": "https://amass.is.tue.mpg.de (SMPL+H G files; HumanAct12 joints: pose_data/humanact12.zip of HumanML3D)",
    "body_models_dir": "https://mano.is.tue.mpg.de (Extended SMPL+H model)",
}
# (poses [T, 156] axis-angle, translations [T, 3], betas [10], male or female) -> joints [T, 52, 3], metres
BodyModel = Callable[[np.ndarray, np.ndarray, np.ndarray, str], np.ndarray]


def smplh(folder: Path) -> BodyModel:
    """SMPL+H through smplx: 10 shape coefficients, hands without their mean, no soft-tissue coefficients."""
    try:
        import smplx
    except ImportError:
        raise InputError(
            "the package smplx is not installed",
            field="corpus.kind",
            fix='pip install "motionrft[amass]"',
        ) from None
    models: dict[str, Any] = {}

    def joints(
        poses: np.ndarray, translations: np.ndarray, betas: np.ndarray, gender: str
    ) -> np.ndarray:
        if gender not in models:
            models[gender] = smplx.SMPLH(
                str(folder / gender / "model.npz"),
                gender=gender,
                ext="npz",
                use_pca=False,
                flat_hand_mean=True,
                num_betas=10,
            )
        shape = torch.from_numpy(betas).float()[None]
        parts = []
        for begin in range(0, len(poses), FRAMES):
            pose = torch.from_numpy(poses[begin : begin + FRAMES]).float()
            with torch.no_grad():
                output = models[gender](
                    betas=shape.expand(len(pose), -1),
                    global_orient=pose[:, :3],
                    body_pose=pose[:, 3:66],
                    left_hand_pose=pose[:, 66:111],
                    right_hand_pose=pose[:, 111:156],
                    transl=torch.from_numpy(translations[begin : begin + FRAMES]).float(),
                )
            parts.append(output.joints[:, :JOINTS].numpy())
        return np.concatenate(parts)

    return joints


def source_file(folder: Path, segment: Segment) -> Path:
    """The segment's file under the names that index.csv and later releases give its subset, and their endings."""
    subset, _, rest = segment.source.partition("/")
    subsets = [subset, *([RENAMED[subset]] if subset in RENAMED else [])]
    sources = [f"{name}/{rest}" for name in subsets]
    sources += [source.removesuffix("_poses") + "_stageii" for source in sources]
    paths = [folder / f"{source}.npz" for source in sources]
    return next((path for path in paths if path.exists()), paths[0])


def gender_of(arrays: Mapping[str, np.ndarray], path: Path, fix: str) -> str:
    """Of the body, which some files name in bytes."""
    [*genders] = arrays["gender"].ravel()
    if len(genders) != 1 or not isinstance(genders[0], str | bytes):
        said = f"{arrays['gender']}, expected one name"
        raise InputError(said, where=path, field="gender", fix=fix)
    [gender] = genders
    return gender.decode() if isinstance(gender, bytes) else gender


def check_numbers(arrays: Mapping[str, np.ndarray], path: Path, fix: str) -> None:
    """Raises where poses, translations or shape coefficients are no numbers, or a frame lacks one of the first two."""
    for key in NUMBERS:
        if key in arrays and arrays[key].dtype.kind != "f":
            said = f"{arrays[key].dtype}, expected floating-point numbers"
            raise InputError(said, where=path, field=key, fix=fix)
    frames, shape = len(arrays["poses"]), arrays["trans"].shape
    if shape != (frames, 3):
        said = f"trans of shape {shape}, but {frames} frames of poses"
        raise InputError(said, where=path, field="trans", fix=fix)


def rate_of(arrays: Mapping[str, np.ndarray], path: Path, least: float, fix: str) -> float:
    """Frames a second, at least `least`, under the key of either release."""
    key = next((name for name in RATES if name in arrays), None)
    if key is None:
        raise InputError(f"no {RATES[0]!r}", where=path, field=RATES[0], fix=fix)
    values = arrays[key].ravel()
    if values.size != 1 or values.dtype.kind not in "fiu" or not least <= values[0] < FASTEST:
        said = ", ".join(map(str, values[:3])) + (", …" if values.size > 3 else "")
        raise InputError(
            f"{said} frames a second, expected a number from {least:g} to {FASTEST:g}",
            where=path, field=key, fix=fix,
        )  # fmt: skip
    return float(values[0])


def read_source(folder: Path, segment: Segment, body: BodyModel) -> np.ndarray:
    """[T, 52 or 24 or 22, 3]: the whole source at about 20 fps, Y up and not yet turned right-handed."""
    if segment.subset == PREMADE:
        path = folder / f"{segment.source}.npy"
        array = read_array(path, "complete amass_dir")
        return read_frames(path, array.shape[1:])
    path = source_file(folder, segment)
    data = read_arrays(path, {*KEYS, *RATES}, "complete amass_dir")
    for key in KEYS:
        if key not in data:
            raise InputError(f"no {key!r}", where=path, field=key, fix=REPAIR)
    if data["poses"].ndim != 2 or data["poses"].shape[1] != 156:
        kind = "an SMPL-X file: " if data["poses"].shape[1:] == (165,) else ""
        raise InputError(
            f"{kind}poses of shape {data['poses'].shape}, expected (frames, 156)",
            where=path,
            field="poses",
            fix=REPAIR,
        )
    check_numbers(data, path, REPAIR)
    stride = int(rate_of(data, path, FPS, "this file cannot be used") / FPS)
    gender = gender_of(data, path, REPAIR)
    joints = body(
        data["poses"][::stride],
        data["trans"][::stride],
        data["betas"][:10],
        "male" if gender == "male" else "female",
    )
    return joints[..., [0, 2, 1]]


def cut(source: np.ndarray, segment: Segment) -> np.ndarray:
    """[T, J, 3] of the segment, right-handed: AMASS sources are cut and their x negated, HumanAct12 is taken whole."""
    if segment.subset == PREMADE:
        return source
    source = source[PREFIX.get(segment.subset, 0) :][segment.begin : segment.end]
    mirrored: np.ndarray = source * np.array([-1.0, 1.0, 1.0], dtype=source.dtype)
    return mirrored


def motions(
    folder: Path, sources: dict[str, list[Segment]], body: BodyModel, report: Report
) -> Iterator[tuple[str, np.ndarray]]:
    """(name, joints [T, 22, 3]) of every segment and of its mirror image; a source is read once."""
    for segments in progress(sources.values(), total=len(sources), label="amass", unit="files"):
        try:
            source = read_source(folder, segments[0], body)
        except InputError as error:
            report.broken(error)
            continue
        for segment in segments:
            joints = cut(source, segment)[:, : len(SMPL_22)].astype(np.float32)
            yield from with_mirrored(segment.name, joints)


def build(settings: dict[str, Any], report: Report, body: BodyModel) -> Iterator[Clip]:
    """Clips through any body model, in the order of their sources."""
    official = root_of(settings, HUMANML3D_LAYOUT, ("index.csv", TEXTS, *SPLIT_FILES))
    split_of = read_splits(official, report)
    sources = by_source(read_index(official / "index.csv"), split_of)
    amass = Path(settings["amass_dir"]).expanduser()
    yield from extracted_clips(
        motions(amass, sources, body, report), split_of, Texts(official), settings["compat"], report
    )


def CORPUS(settings: dict[str, Any], where: str, report: Report) -> Iterator[Clip]:  # noqa: N802
    """Needs the licensed files; what is missing, who gives it and where it goes is one message."""
    needed = {"amass_dir": ("",), "body_models_dir": ("male/model.npz", "female/model.npz")}
    for key, files in needed.items():
        folder = Path(settings[key]).expanduser()
        for file in files:
            if not (folder / file).exists():
                raise InputError(
                    f"{file or 'the folder'} not found; its licence forbids to ship it",
                    where=folder,
                    field=f"corpus.{key}",
                    fix=f"get it from {OWNERS[key]} and put it there, or name its folder in {where}",
                )
    return build(settings, report, smplh(Path(settings["body_models_dir"]).expanduser()))
