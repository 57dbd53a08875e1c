"""A stage trained with a switch beside the sound one."""

import pytest

from motionrft.reporting.tables import build
from tests.reporting.made_run import labelled_row


def test_a_switch_stands_beside_the_sound_stage(records):
    table = build("reward_switches", records)
    labels = ("leaking_mask", "authenticity", "AUROC")
    found = labelled_row(table, *labels, "as released").cells
    assert [found[key].mean for key in ("sound", "official")] == [pytest.approx(85), 100]
    assert found["difference"].mean == pytest.approx(15)
    assert labelled_row(table, *labels, "as used in fine-tuning").cells[
        "difference"
    ].mean == pytest.approx(-25)
    given_away = labelled_row(
        table, "leaking_mask", "authenticity", "AUROC length only", "as released"
    )
    assert given_away.cells["sound"].mean == 50
    assert given_away.cells["official"].mean == 100
    missing = {entry.labels[:2] for entry in table.missing()}
    assert ("padded_pairs", "preference") in missing
    assert ("leaking_mask", "authenticity") not in missing
    [command] = {entry.command for entry in table.missing()}
    assert command.startswith("snakemake --cores all --configfile config/made.yaml -- ")
    assert "/reward/switches/noise/semantic.released.parquet " in command
    assert "leaking_mask" not in command
