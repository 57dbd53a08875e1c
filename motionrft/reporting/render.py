"""One table in three formats: csv for machines, Markdown for reading, LaTeX (booktabs) for papers."""

from __future__ import annotations

import csv
import io

from motionrft.reporting.metrics import Metric
from motionrft.reporting.table import Cell, Row, Table

NOT_RUN = "not run"


def number(cell: Cell, metric: Metric, plus_minus: str = "±") -> str:
    if cell.mean is None:
        return "–" if not cell.applies else cell.absent or NOT_RUN
    text = f"{cell.mean:.{metric.digits}f}"
    return text if cell.half is None else f"{text}{plus_minus}{cell.half:.{metric.digits}f}"


def gain(cell: Cell, metric: Metric) -> str:
    """The signed relative gain, as the paper prints it; a star where it holds after Holm's correction."""
    if cell.gain is None:
        return "*" if cell.better else ""
    text = f"{cell.gain:+.{metric.digits}f}" if metric.direction == 0 else f"{cell.gain:+.1f}%"
    return text + ("*" if cell.better else "")


def beside(cell: Cell, metric: Metric, comparable: bool) -> str:
    """The published number, and where it may be compared the difference and whether it is within the intervals."""
    if cell.paper is None:
        return ""
    text = f"paper {cell.paper:.{metric.digits}f}"
    if cell.paper_half:
        text += f"±{cell.paper_half:.{metric.digits}f}"
    if not comparable or cell.difference is None:
        return text
    verdict = {True: ", within", False: ", outside", None: ""}[cell.within]
    return f"{text}, difference {cell.difference:+.{metric.digits}f}{verdict}"


def to_csv(table: Table) -> str:
    """Numbers unrounded: for each metric its mean, half-width, count, gain, p and verdict."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    fields = ("mean", "ci95", "n", "gain", "p", "better", "paper", "paper ci95", "difference")
    writer.writerow(
        [
            *table.label_heads,
            *(f"{m.key} {name}" for m in table.metrics for name in fields),
            "status",
            "command",
        ]
    )
    for row in table.rows:
        values: list[object] = []
        for metric in table.metrics:
            cell = row.cells[metric.key]
            values += [
                cell.mean,
                cell.half,
                cell.count or None,
                cell.gain,
                cell.p,
                cell.better,
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
    def show(row: Row, metric: Metric) -> str:
        cell = row.cells[metric.key]
        text = number(cell, metric)
        rank = table.rank(row, metric)
        text = f"**{text}**" if rank == 1 else f"<u>{text}</u>" if rank == 2 else text
        extra = gain(cell, metric)
        text = f"{text} ({extra})" if extra else text
        paper = beside(cell, metric, table.compares(row))
        return f"{text} [{paper}]" if paper else text

    heads = [*table.label_heads, *(f"{metric.title} {metric.arrow}" for metric in table.metrics)]
    lines = [f"### {table.title}", "", "| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for row in table.rows:
        lines.append(
            "| "
            + " | ".join([*row.labels, *(show(row, metric) for metric in table.metrics)])
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
        "×": r"$\times$",
        "−": "-",
        "Δ": r"$\Delta$",
    }
)


def to_tex(table: Table) -> str:
    def show(row: Row, metric: Metric) -> str:
        cell = row.cells[metric.key]
        if not cell.filled:
            return cell.absent or "--"
        text = number(cell, metric, r"$\pm$")
        rank = table.rank(row, metric)
        text = (
            rf"\textbf{{{text}}}" if rank == 1 else rf"\underline{{{text}}}" if rank == 2 else text
        )
        extra = gain(cell, metric).translate(TEX)
        return rf"{text}$_{{\text{{{extra}}}}}$" if extra else text

    heads = [
        head.translate(TEX)
        for head in (*table.label_heads, *(f"{m.title} {m.arrow}" for m in table.metrics))
    ]
    columns = "l" * len(table.label_heads) + "c" * len(table.metrics)
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
                    *(show(row, m) for m in table.metrics),
                ]
            )
            + r" \\"
        )
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"
