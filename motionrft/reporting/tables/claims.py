"""How often each claim of the papers holds in a run."""

from __future__ import annotations

from motionrft.reporting.claims import CLAIMS, CONTRARY, HOLDS, OPEN, Outcome
from motionrft.reporting.columns import Column, Fact
from motionrft.reporting.records import Records
from motionrft.reporting.table import Cell, Row, Table, TableFile

COUNTS = (
    Fact("cases", "cases", 0, 0),
    Column(HOLDS, "holds in", 1, 0),
    Column(CONTRARY, "the contrary in", -1, 0),
    Fact(OPEN, "not decided in", 0, 0),
)


def claims(records: Records) -> Table:
    """A row a claim: on how many backbones, and against how many rivals, it holds."""
    rows, notes = [], []
    for claim in CLAIMS:
        found = list(claim.outcomes(records))
        cells = {column.key: Cell() for column in COUNTS}
        if found:
            counts = {
                word: sum(outcome.word == word for outcome in found)
                for word in (HOLDS, CONTRARY, OPEN)
            }
            cells = {"cases": Cell(len(found)), **{word: Cell(n) for word, n in counts.items()}}
            notes.append(f"{claim.statement}: {'; '.join(map(told, found))}.")
        rows.append(Row((claim.statement, claim.source), cells, "claims"))
    notes.insert(
        0,
        "Against the base model: the run's declared comparisons, after Holm's correction; one method against another: this comparison "
        "alone, at 5 %. Costs: all seeds must agree, three at least (memory, which hardly varies: any number). A claim that is not "
        "decided is not refuted.",
    )
    return Table(("claim", "source"), COUNTS, rows, notes, ranked=False)


def told(outcome: Outcome) -> str:
    """mld against draft-50 holds (0.4 against 12.0 MiB)"""
    return f"{outcome.backbone} against {outcome.against} {outcome.word} ({outcome.told})"


TABLE = TableFile(
    title="How often each claim of the papers holds",
    order=5,
    needs=("prompts", "finetuning", "costs"),
    build=claims,
)
