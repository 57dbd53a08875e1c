"""The tables of a run, a file each, found by name.

`<name>.py` defines `TABLE`, a `motionrft.reporting.table.TableFile`: title, source in the papers, the records it needs, and
the function from a run's records to a `motionrft.reporting.table.Table`. The table is then a target, `table_<name>`, a
choice of `motionrft tables --name`, and a part of the page. What tables share stands beside this folder; importing this
package loads no table.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from motionrft import drop_ins

if TYPE_CHECKING:
    from motionrft.reporting.records import Records
    from motionrft.reporting.table import Table, TableFile

# what a table of numbers from evaluations needs, and what is said beneath it where the evaluator was in bf16
SCORED = {"evaluations", "prompts"}
IN_BF16 = "Evaluator in bf16 (`evaluate.precision`): scores differ from those in float32."


def names() -> list[str]:
    """All tables, sorted; none is imported."""
    return drop_ins.names(__name__)


def load(name: str) -> TableFile:
    """The `TABLE` of `motionrft/reporting/tables/<name>.py`; an unknown name is an `InputError`."""
    table: TableFile = drop_ins.load(__name__, name, "table", "--name").TABLE
    return table


def in_order() -> list[str]:
    """The names as the page lists them."""
    return sorted(names(), key=lambda name: load(name).order)


def build(name: str, records: Records) -> Table:
    """The table of a name from whatever has finished, with its title, and what its scores were computed in."""
    file = load(name)
    table = file.build(records)
    half = SCORED & set(file.needs) and records.evaluator_precision == "bf16"
    notes = [*table.notes, IN_BF16] if half else table.notes
    return replace(table, name=name, title=file.title, notes=notes)
