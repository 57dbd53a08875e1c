"""docs/results/README.md: what the kept runs say, generated from their records alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from motionrft.files import atomic
from motionrft.reporting import figures
from motionrft.reporting.claims import CLAIMS, CONTRARY, HOLDS, OPEN
from motionrft.reporting.page.opening import what_was_run
from motionrft.reporting.page.summary import summary
from motionrft.reporting.render import to_markdown
from motionrft.reporting.stored import FIGURES, StoredRecords, kept_tables

SHOWN = ("claims", "at_reward", "equal_cost", "finetuning", "generalisation", "power")
HEAD = """# Results

Effects are paired over seeds and prompts, both taken as drawn at random, with 95 % intervals; verdicts (* better, † worse) are after
Holm's correction over the comparisons that a run declares. What is not decided is not refuted.

Every number of the project's pages is quoted from here. `motionrft publish` writes this page from the records in the folders beside it (do not
edit it), and `tests/docs/test_results.py` makes the tables and the page again from them.
"""


def write_page(folder: Path) -> Path:
    """The page of every run kept below `folder`; returns its path."""
    page = folder / "README.md"
    with atomic(page) as temporary:
        temporary.write_text(page_text(kept_runs(folder)), encoding="utf-8")
    return page


def kept_runs(folder: Path) -> list[StoredRecords]:
    return [StoredRecords(path.parent) for path in sorted(folder.glob("*/about.json"))]


def page_text(runs: Sequence[StoredRecords]) -> str:
    parts = [HEAD, *overall(runs)]
    for records in runs:
        parts += run_part(records)
    return "\n".join(parts).rstrip() + "\n"


def overall(runs: Sequence[StoredRecords]) -> Iterator[str]:
    """How often each claim holds, over all runs."""
    yield "## How often each claim of the papers holds\n"
    yield "| claim | source | cases | holds | the contrary | not decided | runs |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for claim in CLAIMS:
        words: Counter[str] = Counter()
        asked = []
        for records in runs:
            found = [outcome.word for outcome in claim.outcomes(records)]
            words.update(found)
            asked += [records.about["run"]] if found else []
        counts = " | ".join(str(words[word]) for word in (HOLDS, CONTRARY, OPEN))
        named = ", ".join(asked) or "none yet"
        yield f"| {claim.statement} | {claim.source} | {words.total()} | {counts} | {named} |"
    yield ""


def run_part(records: StoredRecords) -> Iterator[str]:
    """One run: what it was and says, its figures and tables, and how to make it again."""
    yield f"## {records.about['run']}\n"
    yield f"{what_was_run(records.run)}\n"
    if (records.folder / "report.html").exists():
        yield f"[Its report]({records.folder.name}/report.html), shortened: motions to watch, every table (a page for a browser).\n"
    said = summary(records)
    for line in (*said.counts, *said.clear, *said.unclear):
        yield f"- {line}"
    yield ""
    for name in FIGURES:
        for picture in sorted((records.folder / "figures").glob(f"{name}*.png")):
            backbone = picture.stem.removeprefix(name).removeprefix("_")
            title = ", ".join(part for part in (figures.load(name).title, backbone) if part)
            yield f"![{title}]({records.folder.name}/figures/{picture.name})\n\n*{title}*\n"
    for name, table in kept_tables(records).items():
        if name in SHOWN:
            yield to_markdown(table)
    yield from how_it_was_run(records)


def how_it_was_run(records: StoredRecords) -> Iterator[str]:
    """Configuration, command, machine and cost."""
    about = records.about
    yield "### How it was run\n"
    seconds = sum(about["processor_seconds"].values())
    yield f"- configuration `{about['configuration']}` (`{records.folder.name}/config.yaml`), code {', '.join(about['code'])}"
    if about["command"]:
        yield f"- command: {about['command']}"
    for machine in about["machine"]:
        yield f"- {machine['processor'] or 'a processor without a name'}, {machine['cores'] or '?'} cores, device {machine['device']}; {machine['libraries']}"
    yield f"- {seconds:.0f} processor seconds: " + ", ".join(
        f"{rule} {value:.0f}" for rule, value in about["processor_seconds"].items()
    )
    yield ""
