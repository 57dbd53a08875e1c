from pathlib import Path

import numpy as np
import torch

from motionrft.corpus.captions import Caption
from motionrft.corpus.features import write_features
from motionrft.corpus.kinds import kit
from motionrft.corpus.official.writer import write_official
from motionrft.corpus.report import Report
from motionrft.corpus.store import Clip, FeatureStore, write_corpus
from motionrft.motion.skeleton import KIT_21
from tests.corpus.synthetic_bodies import motion

LENGTHS = torch.tensor(
    [
        0.0,
        60,
        110,
        200,
        120,
        190,
        280,
        250,
        190,
        280,
        250,
        85,
        420,
        430,
        130,
        60,
        85,
        420,
        430,
        130,
        60,
    ]
)


def official(folder: Path) -> Path:
    clips = [
        (
            Clip(f"0000{row}", motion(frames, row, KIT_21, LENGTHS), ["x"], split),
            [Caption("a person walks", ("a/DET",)), Caption("it stops", ("it/PRON",), 0.0, 1.5)],
        )
        for row, (frames, split) in enumerate(
            ((30, "train"), (50, "train"), (60, "test"), (24, "val"))
        )
    ]
    write_official(folder, clips, skeleton=KIT_21, bone_lengths=LENGTHS)
    return folder


def test_kit_goes_the_whole_way_by_configuration(tmp_path: Path):
    folder = official(tmp_path / "KIT-ML")
    settings = {"kit_dir": str(folder), "compat": "humanml3d", "on_error": "fail"}
    report = Report()
    facts = kit.facts(settings, "config.yaml")
    assert np.allclose(facts["bone_lengths"], LENGTHS, atol=0.01)
    clips = list(kit.CORPUS(settings, "config.yaml", report))
    # 30 frames at the official 20 a second, although 1.5 s of KIT-ML are 18
    assert [(clip.name, len(clip.joints)) for clip in clips] == [
        ("00000", 29), ("A_00000", 29), ("00001", 49), ("A_00001", 30), ("00002", 59), ("A_00002", 30),
    ]  # fmt: skip
    assert report.skipped == ["00003: 23 frames, kept are 24 to 199"]
    write_corpus(tmp_path / "corpus", clips, {}, fps=kit.FPS, facts=facts)
    write_features(tmp_path / "corpus", tmp_path / "features", {}, compat="humanml3d")
    store = FeatureStore(tmp_path / "features")
    dims = {name: store.features(name).shape[1] for name in ("kinematic", "joint", "rotation")}
    assert dims == {"kinematic": 251, "joint": 63, "rotation": 129}
    assert store.about["fps"] == 12.5
    assert store.representation("kinematic").dim == 251
    joints = torch.from_numpy(np.array(store.features("joint")))[None]
    rotated = store.representation("rotation").decode(
        torch.from_numpy(np.array(store.features("rotation")))[None]
    )
    assert (rotated - joints.unflatten(-1, (21, 3))).norm(dim=-1).max() < 0.5  # of a millimetre
