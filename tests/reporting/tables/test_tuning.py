"""Rates that were tried."""

from motionrft.configuration import resolve
from motionrft.files import write_json
from motionrft.reporting.records import Records
from motionrft.reporting.tables import build
from tests.reporting.made_run import RUN, labelled_row, make_run


def trial(rate, score):
    validation = {"reward": score, "FID": 1.0}
    return {"rate": rate, "score": score, "update": 20, "seconds": 3.0, "validation": validation}


def test_every_trial_and_the_cost_of_the_search(tmp_path):
    records = Records(make_run(tmp_path))
    records.run = resolve(RUN | {"tune": {"rates": [1e-5, 1e-4]}})
    content = {"rate": 1e-4, "trials": [trial(1e-5, 0.1), trial(1e-4, 0.2)], "seconds": 6.0}
    write_json(records.folder / "tune" / "mdm" / "easytune.json", content)
    table = build("tuning", records)
    assert labelled_row(table, "mdm", "easytune", "0.0001 (chosen)").cells["score"].mean == 0.2
    assert labelled_row(table, "mdm", "easytune", "1e-05").cells["seconds"].mean == 3.0
    assert "2 trials took 6 s" in table.notes[0]
    [missing] = table.missing()
    assert missing.labels[1] == "draft-10"
    assert missing.command.endswith("tune/mdm/draft-10.json")
