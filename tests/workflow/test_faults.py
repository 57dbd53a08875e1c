"""What a run survives: each fault ends in one clear message, and no finished work is lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from motionrft.configuration import ROOT
from tests.workflow.snakemake_run import CI, TEXT, motionrft, planned, snakemake

CORPUS = "results/ci/corpus/corpus.json"
MODEL = "results/ci/backbones/mdm/denoiser.safetensors"
# a pre-training of a few seconds with a checkpoint in its first
SHORT = (
    "--config",
    "override={backbones: {mdm: {pretrain: {denoiser: {steps: 40, checkpoint_every: 4, checkpoint_minutes: 0}}}}}",
)


def clear_line(text: str) -> str:
    """The one line a user is meant to read."""
    [line] = [line for line in text.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in text
    assert "Fix: " in line
    return line


def pretrain(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    files = ("--features", "results/ci/features", "--text", TEXT, "--out", MODEL)
    command = ("pretrain", "--config", "results/ci/config.yaml", "--backbone", "mdm")
    return motionrft(folder, *command, "--stage", "denoiser", *files, *arguments)


def test_a_full_disk_leaves_nothing_half_written(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small tmpfs needs root")
    try:
        done = motionrft(tmp_path, "corpus", "--config", str(CI), "--out", str(small / "corpus"))
        line = clear_line(done.stderr)
        assert done.returncode == 2
        assert "No space left on device" in line
        assert not [path for path in small.rglob("*") if path.is_file()]
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_read_only_results_folder_is_named(tmp_path):
    if os.geteuid() == 0:
        # root writes everywhere but on a file system mounted read-only
        results = tmp_path / "results"
        results.mkdir()
        bind = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", results], check=False)
        if bind.returncode:
            pytest.skip("this root may not mount")
    else:
        results = tmp_path / "results"
        results.mkdir(mode=0o555)
    try:
        done = motionrft(tmp_path, "corpus", "--config", str(CI), "--out", "results/ci/corpus")
        assert done.returncode == 2
        line = clear_line(done.stderr)
        assert "results/ci" in line
        planned_run = snakemake(tmp_path, CI, "--cores", "1", "--", CORPUS)
        assert planned_run.returncode == 1
        assert "Traceback" not in planned_run.stderr
        assert "results/ci" in planned_run.stderr
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", results], check=True)


def test_a_killed_snakemake_continues_where_the_job_stood(run):
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", run),
        *("--configfile", CI, "--cores", "1", *SHORT, "--", MODEL),
    ]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    checkpoint = run / MODEL.replace(".safetensors", ".checkpoint")
    try:
        for _ in range(5000):
            if checkpoint.exists():
                break
            time.sleep(0.1)
        assert checkpoint.exists()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not (run / MODEL).exists()
    subprocess.run(
        [*command[: command.index("--cores")], "--unlock"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    # `rerun-incomplete` stands in the default profile
    done = snakemake(run, CI, "--cores", "1", *SHORT, "--", MODEL)
    assert done.returncode == 0, done.stderr
    assert "goes on from step" in (run / "results/ci/logs/pretrain/mdm-denoiser.log").read_text()
    assert planned(snakemake(run, CI, "--dry-run", *SHORT, "--", MODEL)) == {}
    assert not checkpoint.exists()


def test_a_truncated_checkpoint_is_named(run):
    checkpoint = run / MODEL.replace(".safetensors", ".checkpoint")
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"PK\x03\x04 cut short")
    done = pretrain(run)
    assert done.returncode == 2
    assert "denoiser.checkpoint" in clear_line(done.stderr)
    assert not (run / MODEL).exists()


def test_a_corrupted_feature_cache_is_named(run):
    for name, size in ((TEXT, 1000), ("results/ci/features/kinematic.npy", 60)):
        path = run / name
        whole = path.read_bytes()
        path.write_bytes(whole[:size])
        done = pretrain(run)
        assert done.returncode == 2
        assert name in clear_line(done.stderr)
        path.write_bytes(whole)


def test_a_missing_gpu_is_an_error_only_where_one_was_asked_for(run):
    done = pretrain(run, "--device", "cuda")
    assert done.returncode == 2
    assert "no GPU is visible" in clear_line(done.stderr)
    assert not (run / MODEL).exists()


def test_two_snakemakes_on_one_directory_do_not_mix(run):
    lock = run / ".snakemake" / "locks"
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", run),
        *("--configfile", CI, "--cores", "1", *SHORT, "--", MODEL),
    ]
    first = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(5000):
            # written last, and empty for a moment
            if any(path.stat().st_size for path in lock.glob("*.output.lock")):
                break
            time.sleep(0.1)
        # it stands still, lock in hand: on a busy machine it would end before the second has planned
        os.killpg(first.pid, signal.SIGSTOP)
        second = snakemake(run, CI, "--cores", "1", "--", MODEL)
        assert second.returncode == 1
        assert "cannot be locked" in second.stderr
        assert first.poll() is None
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()


def test_captions_that_are_not_utf8_are_named(tmp_path):
    folder = tmp_path / "mocap"
    folder.mkdir()
    (folder / "walk.bvh").write_text("HIERARCHY\n")
    (folder / "captions.csv").write_bytes("clip,caption\nwalk,une marche é".encode("latin-1"))
    config = {"corpus.mocap_dir": str(folder)}
    sets = [part for key, value in config.items() for part in ("--set", f"{key}={value}")]
    done = motionrft(
        tmp_path, "corpus", "--config", str(ROOT / "config/mocap.yaml"), *sets, "--out", "corpus"
    )
    assert done.returncode == 2
    line = clear_line(done.stderr)
    assert "captions.csv" in line
    assert "UTF-8" in line
    assert not (tmp_path / "corpus" / "corpus.json").exists()


def test_spaces_and_unicode_in_every_path(tmp_path):
    """A run whose directory and corpus folder have both, to the end of its corpus stage."""
    folder = tmp_path / "мои движения"
    data = tmp_path / "données de mouvement"
    data.mkdir()
    write_bvh_corpus(data)
    site = tmp_path / "site.yaml"
    few = {"corpus": {"min_frames": 40}, "evaluate": {"group": 2}}
    site.write_text(yaml.safe_dump(few))
    (folder / "results" / "mocap").mkdir(parents=True)
    (folder / "results" / "mocap" / "report.html").write_text("of a run before")
    done = snakemake(
        folder,
        [ROOT / "config" / "mocap.yaml", site],
        *("--cores", "1", "--config", f"mocap_dir={data}", "--"),
        *("results/mocap/features/stats.safetensors", "results/mocap/text/toy.safetensors"),
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "results/mocap/features/clips.parquet").exists()
    assert "open results/mocap/report.html" in done.stderr  # where there is one


def write_bvh_corpus(folder: Path, clips: int = 10, frames: int = 90) -> None:
    """Valid BVH files on the preset skeleton: a body that sways on the spot."""
    joints = yaml.safe_load((ROOT / "config/skeletons/bandai-namco.yaml").read_text())
    tree = {
        "Hips": ["Spine", "UpperLeg_L", "UpperLeg_R"],
        "Spine": ["Chest"],
        "Chest": ["Neck", "Shoulder_L", "Shoulder_R"],
        "Neck": ["Head"],
        **{f"Shoulder_{s}": [f"UpperArm_{s}"] for s in "LR"},
        **{f"UpperArm_{s}": [f"LowerArm_{s}"] for s in "LR"},
        **{f"LowerArm_{s}": [f"Hand_{s}"] for s in "LR"},
        **{f"UpperLeg_{s}": [f"LowerLeg_{s}"] for s in "LR"},
        **{f"LowerLeg_{s}": [f"Foot_{s}"] for s in "LR"},
        **{f"Foot_{s}": [f"Toes_{s}"] for s in "LR"},
    }
    offsets = {
        "Hips": (0, 90, 0),
        "Spine": (0, 12, 0),
        "Chest": (0, 15, 0),
        "Neck": (0, 25, 0),
        "Head": (0, 12, 0),
    }
    for side, sign in (("L", 1), ("R", -1)):
        offsets |= {
            f"Shoulder_{side}": (5 * sign, 20, 0),
            f"UpperArm_{side}": (12 * sign, 0, 0),
            f"LowerArm_{side}": (26 * sign, 0, 0),
            f"Hand_{side}": (24 * sign, 0, 0),
            f"UpperLeg_{side}": (9 * sign, -4, 0),
            f"LowerLeg_{side}": (0, -40, 0),
            f"Foot_{side}": (0, -40, 0),
            f"Toes_{side}": (0, -4, 12),
        }
    names: list[str] = []

    def describe(name: str, depth: int) -> list[str]:
        names.append(name)
        pad = "  " * depth
        kind = "ROOT" if depth == 0 else "JOINT"
        place = "Xposition Yposition Zposition " if depth == 0 else ""
        count = 6 if depth == 0 else 3
        lines = [
            f"{pad}{kind} {name}",
            f"{pad}{{",
            f"{pad}  OFFSET {' '.join(map(str, offsets[name]))}",
            f"{pad}  CHANNELS {count} {place}Zrotation Xrotation Yrotation",
        ]
        for child in tree.get(name, []):
            lines += describe(child, depth + 1)
        if name not in tree:
            lines += [f"{pad}  End Site", f"{pad}  {{", f"{pad}    OFFSET 0 5 0", f"{pad}  }}"]
        return [*lines, f"{pad}}}"]

    hierarchy = ["HIERARCHY", *describe("Hips", 0)]
    assert {
        name for entry in joints.values() for name in ([entry] if isinstance(entry, str) else entry)
    } <= set(names)
    captions = ["clip,caption"]
    for clip in range(clips):
        rows = []
        for frame in range(frames):
            sway = 10 * (1 + clip) * ((frame % 30) / 30 - 0.5) / 10
            rotations = [sway if name == "Spine" else 0.0 for name in names]
            rows.append(" ".join(["0", "90", "0"] + [f"{angle:.3f} 0 0" for angle in rotations]))
        motion = ["MOTION", f"Frames: {frames}", "Frame Time: 0.0333333", *rows]
        (folder / f"clip {clip}.bvh").write_text("\n".join([*hierarchy, *motion]) + "\n")
        captions.append(f"clip {clip},a person sways number {clip}")
    (folder / "captions.csv").write_text("\n".join(captions) + "\n")
