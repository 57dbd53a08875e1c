"""The report as it is kept with the documentation: the same tables, less to load, nothing of the machine."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from motionrft.player.page import embedded
from motionrft.reporting.page import contents
from motionrft.reporting.page.contents import few_colours, kept, whole
from motionrft.reporting.page.jobs import jobs
from motionrft.reporting.page.player import players
from motionrft.reporting.page.report import write_kept_report, write_report
from motionrft.reporting.records import Records
from motionrft.workflow_plan import Plan


@pytest.fixture(scope="module")
def pages(records, drawn, tmp_path_factory):
    """The whole page and the kept one."""
    folder, counts = tmp_path_factory.mktemp("pages"), Plan(records.run).job_counts()
    for choice in (whole, kept):
        write_report(records, folder / choice.__name__, counts, choice)
    return [(folder / name).read_text(encoding="utf-8") for name in ("whole", "kept")]


def entries(page):
    found = re.search(r'id="players">(.*?)</script>', page, re.S)
    return json.loads(found[1])["entries"]


def test_tables_are_the_same_and_the_rest_is_less(pages):
    full, light = pages
    tables = [re.findall(r"<h3 id=\"table-.*?</table>", page, re.S) for page in pages]
    assert len(tables[0]) > 3
    assert tables[0] == tables[1]
    assert len(light) < 0.6 * len(full)
    assert "A shortened report" in light
    assert "A shortened report" not in full
    # a figure that is left out has still been drawn: it is not among what the run lacks
    absent = [re.search(r'id="absent">(.*?)</p>', page)[1] for page in pages]
    assert absent[0] == absent[1]
    assert "data:image/gif" in full
    assert "data:image/gif" not in light


def test_motions_can_be_watched_and_not_be_downloaded(pages):
    full, light = (entries(page) for page in pages)
    assert any("bvh" in model for entry in full for model in entry["models"])
    assert not any("bvh" in model for entry in light for model in entry["models"])
    for one, other in zip(full, light, strict=True):
        assert [m["model"] for m in one["models"]] == [m["model"] for m in other["models"]]
        assert one["models"][0]["model"] == "recorded"


def test_sentences_and_models_are_as_many_as_there_is_room_for(records, drawn, monkeypatch):
    finished = jobs(records)
    one = len(embedded(players(records, 1, bvh=False)))
    shown = []
    for room in (10_000_000, one, one - 1):
        monkeypatch.setattr(contents, "MOTIONS", room)
        [entry] = json.loads(kept(records, finished).players)["entries"]
        shown.append((len(entry["prompts"]), [model["model"] for model in entry["models"]]))
    sentences, every = shown[0]
    assert sentences > 1
    assert {"recorded", "base", "easytune", "best-of-4"} == set(every)
    assert shown[1] == (1, every)
    assert shown[2] == (1, ["recorded", "base", "easytune"])


def test_nothing_of_a_folder_of_ones_own_is_kept(records, drawn):
    mine = Records(records.folder)
    corpus = records.run["corpus"] | {"kind": "bvh"}
    mine.__dict__["run"] = records.run | {"corpus": corpus}
    made = kept(mine, jobs(mine))
    assert json.loads(made.players)["entries"] == []
    assert "no motions" in made.note


def test_recorded_motions_of_a_licensed_corpus_stay_at_home(records, drawn, monkeypatch):
    monkeypatch.setattr(contents, "FREE", ())
    made = kept(records, jobs(records))
    [entry] = json.loads(made.players)["entries"]
    assert "recorded" not in [model["model"] for model in entry["models"]]
    assert "licence" in made.note


def test_nothing_of_the_machine_is_kept(records, drawn, tmp_path):
    mine = Records(records.folder)
    mine.__dict__["run"] = records.run | {
        "command": "snakemake --cores all --config mocap_dir=/home/me/takes",
        "corpus": records.run["corpus"] | {"mocap_dir": "/home/me/takes"},
    }
    counts = Plan(records.run).job_counts()
    write_report(mine, tmp_path / "whole.html", counts)
    write_kept_report(mine, tmp_path / "kept.html", counts)
    full, light = ((tmp_path / f"{name}.html").read_text() for name in ("whole", "kept"))
    assert "/home/me" in full
    assert "/home/" not in light
    assert "mocap_dir=…/takes" in light  # in the command that fills a row
    assert kept(mine, jobs(mine)).logs == []


def test_few_colours_leave_the_picture_its_size():
    ramp = np.zeros((64, 96, 3), np.uint8)
    ramp[..., 0] = np.arange(96)
    ramp[:, :, 1] = np.random.default_rng(0).integers(0, 255, (64, 96))
    data = io.BytesIO()
    Image.fromarray(ramp).save(data, "png")
    small = few_colours(data.getvalue())
    assert len(small) < len(data.getvalue()) / 2
    with Image.open(io.BytesIO(small)) as image:
        assert image.size == (96, 64)
