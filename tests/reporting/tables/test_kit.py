"""Another corpus."""

from motionrft.reporting.tables import build


def test_another_corpus_has_its_own_command(records):
    table = build("kit", records)
    assert len(table.missing()) == len(table.rows)
    assert table.rows[0].command.endswith("--configfile config/kit.yaml")
