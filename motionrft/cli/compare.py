"""Two runs, or two cells, against each other."""

from __future__ import annotations

from pathlib import Path

from motionrft.cli.app import app


@app.command
def compare(first: Path, second: Path, /, *, csv: Path | None = None) -> None:
    """Say what differs between two runs, or two cells: settings, and scores in pairs.

    Differences are second - first, with 95 % intervals, paired by seed and
    replication (over seeds where there are three) and by prompt; p after Holm,
    of the metrics that have a better side. Scores that different evaluators,
    corpora or settings gave are refused. Of two runs those metrics alone are
    printed.

    For example:
        python -m motionrft compare results/toy/evaluate/mdm/base \\
            results/toy/evaluate/mdm/easytune
        python -m motionrft compare results/toy results/other --csv differences.csv

    Parameters
    ----------
    first
        Folder of a run; or of a cell in it, evaluate/<backbone>/<method>, of all its seeds, or of one (…/seed0).
    second
        The other one.
    csv
        Table of the differences to write.
    """
    from motionrft.files import atomic
    from motionrft.reporting.differences import cells_at, configurations, differences, matched

    a, b = cells_at(first), cells_at(second)
    pairs = matched(a, b)
    table, settings = differences(pairs), configurations(a, b)
    print(f"a: {a[0] if len(a) == 1 else first}\nb: {b[0] if len(b) == 1 else second}")
    alone = {str(cell) for cell in (*a, *b)} - {str(cell) for pair in pairs for cell in pair}
    print(*(f"only in one: {cell}" for cell in sorted(alone)), sep="\n", end="\n" * bool(alone))
    print("\nsettings that differ" if len(settings) else "\nno setting differs")
    for row in settings.itertuples():
        print(f"  {row.key}: {row.a} | {row.b}")
    print("\nscores, b - a")
    shown = table if len(pairs) == 1 else table[table["p"].notna()]
    if len(shown) < len(table):
        print("  of metrics with a better side; --csv writes the others too")
    for cell, rows in shown.groupby("cell", sort=False):
        print(f"  {cell}")
        print(f"    {'':28}{'a':>10}{'b':>10}{'b - a':>10}   {'95 % interval':<22}{'p':>6}  over")
        for row in rows.itertuples():
            within = f"[{row.low:.4f}, {row.high:.4f}]" if row.low == row.low else "(all equal)"
            p = f"{row.p:6.3f}" if row.p == row.p else "     -"
            better = f"   {row.better} is better" if row.better else ""
            unit = row.unit if row.pairs > 1 else row.unit.removesuffix("s")
            print(
                f"    {row.metric:28}{row.a:10.4f}{row.b:10.4f}{row.difference:10.4f}   {within:<22}{p}"
                f"  {row.pairs} {unit}{better}"
            )
    if csv is not None:
        with atomic(csv) as temporary:
            table.to_csv(temporary, index=False)
        print(f"wrote {csv}")
