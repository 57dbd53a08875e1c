"""Progress in a log: a line now and then, and one at the end."""

import logging

from motionrft import progress as module


def test_lines_where_there_is_no_terminal(caplog, monkeypatch):
    seconds = iter(range(0, 1000, 10))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(seconds)))
    bar = module.progress(range(3, 8), total=8, initial=3, label="training", unit="steps")
    with caplog.at_level(logging.INFO):
        for item in bar:
            bar.set_postfix(loss=f"{item}.0")
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split("  ")[0] for line in lines] == [
        "training 5 of 8 steps",
        "training 7 of 8 steps",
        "training 8 of 8 steps",
    ]
    assert lines[0].endswith("0.1/s  30 s left  loss 4.0")
