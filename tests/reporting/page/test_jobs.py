"""Every finished job of a run."""

from motionrft.reporting.page.jobs import jobs


def test_every_job_has_its_log_and_device(records):
    table = jobs(records).set_index("job")
    assert table.loc["corpus", "log"] == "logs/corpus.log"
    assert table.loc["finetune/mdm-easytune-seed0", "device"] == "cpu"  # what its own record says
    assert table.loc["corpus", "device"] == "auto"
    assert table.loc["corpus", "wall_s"] == 12.0
