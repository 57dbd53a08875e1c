"""One table in three formats: csv for machines, Markdown for reading, LaTeX (booktabs) for papers."""

from __future__ import annotations

import csv
import io

from motionrft.reporting.columns import Column
from motionrft.reporting.table import Cell, Row, Table

NOT_RUN = "not run"


def number(cell: Cell, column: Column, plus_minus: str = "±") -> str:
    if cell.mean is None:
        return "–" if not cell.applies else cell.absent or NOT_RUN
    text = f"{cell.mean:.{column.digits}f}"
    return text if cell.half is None else f"{text}{plus_minus}{cell.half:.{column.digits}f}"


MARKS = {"better": "*", "worse": "†"}


def gain(cell: Cell, column: Column) -> str:
    """The signed relative gain, as the paper prints it, its 95 % interval, and the mark of its verdict."""
    mark = MARKS.get(cell.verdict, "")
    if cell.gain is None:
        return mark
    if column.direction == 0:
        return f"{cell.gain:+z.{column.digits}f}{mark}"
    interval = ""
    if cell.gain_low is not None and cell.gain_high is not None:
        interval = f" [{cell.gain_low:+z.1f}, {cell.gain_high:+z.1f}]"
    return f"{cell.gain:+z.1f}%{interval}{mark}"


def beside(cell: Cell, column: Column, comparable: bool) -> str:
    """The published number, and where it may be compared the difference and whether it is within the intervals."""
    if cell.paper is None:
        return ""
    text = f"paper {cell.paper:.{column.digits}f}"
    if cell.paper_half:
        text += f"±{cell.paper_half:.{column.digits}f}"
    if not comparable or cell.difference is None:
        return text
    verdict = {True: ", within", False: ", outside", None: ""}[cell.within]
    return f"{text}, difference {cell.difference:+z.{column.digits}f}{verdict}"


def to_csv(table: Table) -> str:
    """Numbers unrounded: for each metric its mean, half-width, count, gain, p and verdict."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    fields = (
        "mean", "ci95", "n", "gain", "gain low", "gain high", "p", "verdict",
        "paper", "paper ci95", "difference",
    )  # fmt: skip
    writer.writerow(
        [
            *table.label_heads,
            *(f"{m.key} {name}" for m in table.columns for name in fields),
            "status",
            "command",
        ]
    )
    for row in table.rows:
        values: list[object] = []
        for column in table.columns:
            cell = row.cells[column.key]
            values += [
                cell.mean,
                cell.half,
                cell.count or None,
                cell.gain,
                cell.gain_low,
                cell.gain_high,
                cell.p,
                cell.verdict,
                cell.paper,
                cell.paper_half,
                cell.difference if table.compares(row) else None,
            ]
        filled = any(cell.filled or cell.absent for cell in row.cells.values())
        status = "done" if filled else NOT_RUN
        writer.writerow(
            [
                *row.labels,
                *("" if value is None else value for value in values),
                status,
                "" if filled else row.command,
            ]
        )
    return out.getvalue()


def to_markdown(table: Table) -> str:
    def show(row: Row, column: Column) -> str:
        cell = row.cells[column.key]
        text = number(cell, column)
        rank = table.rank(row, column)
        text = f"**{text}**" if rank == 1 else f"<u>{text}</u>" if rank == 2 else text
        extra = gain(cell, column)
        text = f"{text} ({extra})" if extra else text
        paper = beside(cell, column, table.compares(row))
        return f"{text} [{paper}]" if paper else text

    heads = [*table.label_heads, *(column.head for column in table.columns)]
    lines = [f"### {table.title}", "", "| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for row in table.rows:
        lines.append(
            "| "
            + " | ".join([*row.labels, *(show(row, column) for column in table.columns)])
            + " |"
        )
    lines += ["", *(f"- {note}" for note in table.notes)]
    if table.has_paper:
        lines.append(f"- Beside the paper: {table.why}")
    missing = table.missing()
    if missing:
        lines += [
            "",
            "Not run yet; these commands fill the gaps:",
            "",
            "```",
            *dict.fromkeys(row.command for row in missing if row.command),
            "```",
        ]
    return "\n".join(lines) + "\n"


TEX = str.maketrans(
    {
        "&": r"\&",
        "%": r"\%",
        "#": r"\#",
        "_": r"\_",
        "→": r"$\rightarrow$",
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        "±": r"$\pm$",
        "†": r"$\dagger$",
        "×": r"$\times$",
        "−": "-",
        "Δ": r"$\Delta$",
    }
)


def to_tex(table: Table) -> str:
    def show(row: Row, column: Column) -> str:
        cell = row.cells[column.key]
        if not cell.filled:
            return cell.absent or "--"
        text = number(cell, column, r"$\pm$")
        rank = table.rank(row, column)
        text = (
            rf"\textbf{{{text}}}" if rank == 1 else rf"\underline{{{text}}}" if rank == 2 else text
        )
        extra = gain(cell, column).translate(TEX)
        return rf"{text}$_{{\text{{{extra}}}}}$" if extra else text

    heads = [
        head.translate(TEX)
        for head in (*table.label_heads, *(column.head for column in table.columns))
    ]
    columns = "l" * len(table.label_heads) + "c" * len(table.columns)
    lines = [
        r"% needs \usepackage{booktabs,amsmath}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(heads) + r" \\",
        r"\midrule",
    ]
    group = table.rows[0].group if table.rows else ""
    for row in table.rows:
        if row.group != group:
            lines.append(r"\midrule")
            group = row.group
        lines.append(
            " & ".join(
                [
                    *(label.translate(TEX) for label in row.labels),
                    *(show(row, m) for m in table.columns),
                ]
            )
            + r" \\"
        )
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"
