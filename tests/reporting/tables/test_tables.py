"""Tables are found by their folder."""

from functools import cached_property

import pytest

from motionrft.configuration import resolve
from motionrft.errors import InputError
from motionrft.reporting.records import Records
from motionrft.reporting.tables import build, in_order, load, names
from tests.reporting.made_run import VARIED, make_run

#: what a table may declare that it reads
PROPERTIES = [
    name
    for name, value in vars(Records).items()
    if isinstance(value, cached_property) and not name.startswith("_")
]


def test_they_stand_in_the_papers_order():
    assert in_order()[:5] == ["claims", "finetuning", "generalisation", "sota", "kit"]
    assert sorted(in_order()) == names()
    assert len(names()) == len({load(name).order for name in names()})


@pytest.mark.parametrize("name", names())
def test_a_table_needs_what_it_reads(name, tmp_path):
    """Reading fills the cached property of the records."""
    records = Records(make_run(tmp_path))
    if name == "kit":  # on another corpus it only points to that run
        records.run = records.run | {"corpus": {"kind": "kit"}}
    if name == "ablation":  # of a run without variants it says that alone
        records.run = resolve(VARIED)
    table = build(name, records)
    assert (table.name, table.title) == (name, load(name).title)
    read = {entry for entry in PROPERTIES if entry in vars(records)} - {"run"}
    assert set(load(name).needs) <= read
    # the costs are read from their files
    assert read - {"cost_files"} <= set(load(name).needs)


def test_an_unknown_table_is_named_with_the_choices():
    with pytest.raises(InputError, match="did you mean finetuning"):
        load("finetunning")
