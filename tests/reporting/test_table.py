"""Best and second of a group."""

from motionrft.reporting.columns import GENERATION, Column, Fact
from motionrft.reporting.records import Records
from motionrft.reporting.render import to_markdown
from motionrft.reporting.tables import build
from tests.reporting.made_run import make_run


def test_best_and_second_are_marked(tmp_path):
    table = build("finetuning", Records(make_run(tmp_path, methods=("easytune", "draft-10"))))
    ranks = {entry.labels[1]: table.rank(entry, GENERATION[0]) for entry in table.rows}
    means = {entry.labels[1]: entry.cells[GENERATION[0].key].mean for entry in table.rows}
    rivals = {name: mean for name, mean in means.items() if name != "Real" and mean is not None}
    assert ranks["Real"] is None
    assert ranks[max(rivals, key=rivals.get)] == 1  # the base model too, where it is best
    assert "**" in to_markdown(table)


def test_heads_say_which_way_is_better_where_one_is():
    heads = [Column("x", "x", direction).head for direction in (1, -1, 0)]
    assert heads == ["x ↑", "x ↓", "x →"]
    assert Fact("cases", "cases", 0, 0).head == "cases"
