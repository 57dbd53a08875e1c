"""A run whose files outside have changed is not done."""

import pytest

from tests.workflow.snakemake_run import planned, pretend_finished, snakemake


@pytest.mark.slow
def test_edited_captions_and_another_name_of_a_run(tmp_path):
    data = tmp_path / "my data #1"
    data.mkdir()
    (data / "captions.csv").write_text("clip,caption\na,walks\n")
    (data / "a.bvh").write_text("HIERARCHY\n")
    run = ("--config", f"mocap_dir={data}", "name=2024_05")
    pretend_finished(tmp_path, "mocap", *run)
    assert (tmp_path / "results" / "2024_05" / "corpus" / "corpus.json").exists()
    assert planned(snakemake(tmp_path, "mocap", "-n", *run)) == {}
    (data / "captions.csv").write_text("clip,caption\na,walks on\n")
    assert planned(snakemake(tmp_path, "mocap", "-n", *run))["corpus"] == 1
