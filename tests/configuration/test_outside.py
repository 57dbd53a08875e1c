"""Files and folders that a section reads from outside of the run."""

import os

from motionrft.configuration import resolve
from motionrft.configuration.outside import read_from_outside, state
from motionrft.workflow_plan import Plan


def test_every_change_of_a_folder_is_seen(tmp_path):
    def now():
        state.cache_clear()
        return state(tmp_path / "data")

    assert now() == []
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "sub" / "a.bvh").write_text("a")
    (tmp_path / "data" / "loop").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "gone").symlink_to(tmp_path / "nowhere")
    states = [now()]
    assert [name for name, *_ in states[0]] == ["./gone", "sub/a.bvh"]
    (tmp_path / "data" / "sub" / "a.bvh").write_text("b")
    os.utime(tmp_path / "data" / "sub" / "a.bvh", ns=(5, 5))
    states.append(now())
    (tmp_path / "data" / "b.bvh").write_text("")
    states.append(now())
    (tmp_path / "data" / "b.bvh").rename(tmp_path / "data" / "c.bvh")
    states.append(now())
    assert all(one != other for i, one in enumerate(states) for other in states[:i])
    assert now() == states[-1]


def test_keys_are_found_at_every_depth(tmp_path):
    (tmp_path / "a").write_text("x")
    text = {"one": {"kind": "clip", "source": str(tmp_path / "a")}, "two": {"sources": {"template": str(tmp_path / "a")}}}  # fmt: skip
    found = read_from_outside(text, "text")
    assert list(found) == ["one.source", "two.sources.template"]
    assert found["one.source"][0][:2] == ("a", 1)
    bvh = {"mocap_dir": str(tmp_path), "joint_map": "mixamo", "scale": 1}
    found = read_from_outside(bvh, "corpus-bvh")
    assert [name for name, *_ in found["joint_map"]] == ["mixamo.yaml"]
    assert [name for name, *_ in found["mocap_dir"]] == ["./a"]


def test_settings_of_a_corpus_follow_its_files(tmp_path):
    def settings():
        state.cache_clear()
        run = {
            "name": "t",
            "corpus": {"kind": "bvh", "mocap_dir": str(tmp_path)},
            "backbones": ["mdm"],
            "methods": [],
        }
        return Plan(resolve(run)).settings_of("corpus")

    first = settings()
    assert settings() == first
    (tmp_path / "captions.csv").write_text("clip,caption\n")
    assert settings() != first


def test_what_is_found_by_itself_names_no_file(tmp_path):
    bvh = {"mocap_dir": str(tmp_path), "joint_map": "auto", "scale": "auto"}
    assert list(read_from_outside(bvh, "corpus-bvh")) == ["mocap_dir"]
