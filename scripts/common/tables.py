"""Result tables: one list of rows as CSV (raw numbers), Markdown and LaTeX (rounded), and read back for the report.

Columns are typed. Measured means carry their spread; values printed in a paper stand in columns of their own; a cell
without a value shows a dash whose number leads to the reason below the table.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Sequence, Union

from scripts.common.errors import UserError
from scripts.common.files import PathLike, read_text, write_csv, write_text
from scripts.common.spread import Spread

KINDS = ("text", "number", "spread", "published")
DASH = "—"
MINI_NOTE = "Mini tier: a synthetic stand-in. It shows the effects and replicates nothing."
NOT_PUBLISHED = "The paper gives no value."
PUBLISHED_SUFFIX = ", published"
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Column:
    """One column of a table.

    key: the cell's key in a row and the column's name in the CSV; kind: "text", "number" (one number), "spread" (a
    `Spread` over seeds) or "published" (a paper's number, shown as "<header>, published"; its key ends in _published);
    unit: e.g. "%"; decimals: digits shown after the point (the CSV keeps all); tex_width_cm: width of a text column
    that wraps in LaTeX.
    """

    key: str
    header: str
    kind: str = "text"
    unit: str = ""
    decimals: int = 2
    tex_width_cm: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"column '{self.key}': kind must be one of {', '.join(KINDS)}, not '{self.kind}'")
        if self.key.endswith("_published") != (self.kind == "published"):
            raise ValueError(
                f"column '{self.key}': published columns, and only they, have a key that ends in _published"
            )

    @property
    def title(self) -> str:
        """The printed header: name, unit and whether the numbers are a paper's."""
        unit = f" ({self.unit})" if self.unit else ""
        return f"{self.header}{unit}{PUBLISHED_SUFFIX if self.kind == 'published' else ''}"


@dataclass(frozen=True)
class Missing:
    """A cell without a value, and why."""

    reason: str


Cell = Union[str, int, float, Spread, Missing, None]


@dataclass(frozen=True)
class RenderedTable:
    """A table as printed: caption, header, aligned cells of text, notes below it."""

    caption: str
    header: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def write_table(
    rows: Sequence[Mapping[str, Cell]],
    columns: Sequence[Column],
    *,
    csv: PathLike,
    md: PathLike,
    tex: PathLike,
    caption: str,
    tier: str,
    notes: Sequence[str] = (),
) -> None:
    """Write a table as CSV, Markdown and LaTeX (needs the package booktabs).

    rows: {column key: str, number, `Spread`, `Missing`, or None for "the paper gives no value" in a published column}.
    CSV columns: `<key>`, or `<key>_mean`, `<key>_std`, `<key>_n` for a spread; last `note` with the reasons of missing
    cells.
    Raises ValueError for a key without column, a missing key, a cell of the wrong type, or a number that is not finite.
    """
    _check(rows, columns)
    table = render_table(rows, columns, caption=caption, tier=tier, notes=notes)
    csv_rows, csv_columns = _csv_rows(rows, columns)
    label = Path(tex).stem
    markdown, latex = to_markdown(table), _to_latex(table, columns, label)
    write_csv(csv, csv_rows, csv_columns)
    write_text(md, markdown)
    write_text(tex, latex)


def render_table(
    rows: Sequence[Mapping[str, Cell]],
    columns: Sequence[Column],
    *,
    caption: str,
    tier: str,
    notes: Sequence[str] = (),
) -> RenderedTable:
    """Return the table as text: numbers rounded, missing cells numbered; notes: spread, own, reasons, tier."""
    reasons: list[str] = []
    body = tuple(tuple(_cell_text(row[column.key], column, reasons) for column in columns) for row in rows)
    marked = [f"{_mark(number)} {reason}" for number, reason in enumerate(reasons, start=1)]
    spread_note = _spread_note(rows, columns)
    every_note = [*([spread_note] if spread_note else []), *notes, *marked, *([MINI_NOTE] if tier == "mini" else [])]
    return RenderedTable(
        caption=_clean(caption),
        header=tuple(_clean(column.title) for column in columns),
        numeric=tuple(column.kind != "text" for column in columns),
        rows=body,
        notes=tuple(_clean(note) for note in every_note),
    )


def format_number(value: float, decimals: int) -> str:
    """Return a rounded number with a true minus sign, without negative zero, digits grouped from 10,000 on."""
    text = f"{value:,.{decimals}f}" if abs(value) >= 10_000 else f"{value:.{decimals}f}"
    if text.startswith("-"):
        text = "−" + text[1:] if any(digit in "123456789" for digit in text) else text[1:]
    return text


def format_spread(value: Spread, decimals: int) -> str:
    """Return "mean ± std", or the mean alone for a single measurement."""
    mean = format_number(value.mean, decimals)
    return mean if value.std is None else f"{mean} ± {format_number(value.std, decimals)}"


def _check(rows: Sequence[Mapping[str, Cell]], columns: Sequence[Column]) -> None:
    names = [column.key for column in columns]
    if len(set(names)) != len(names) or "note" in names:
        raise ValueError(f"column keys must differ and not be 'note': {', '.join(names)}")
    for number, row in enumerate(rows):
        unknown = set(row) - {column.key for column in columns}
        if unknown:
            raise ValueError(f"row {number}: no column for {', '.join(sorted(unknown))}")
        for column in columns:
            if column.key not in row:
                raise ValueError(f"row {number}: no cell for column '{column.key}'; give Missing(reason)")
            _check_cell(row[column.key], column, f"row {number}, column '{column.key}'")


def _check_cell(cell: Cell, column: Column, where: str) -> None:
    if isinstance(cell, Missing):
        if not cell.reason.strip():
            raise ValueError(f"{where}: a missing cell needs a reason")
        return
    if column.kind == "published" and cell is None:
        return
    expected: dict[str, tuple[type, ...]] = {"text": (str,), "spread": (Spread,)}
    kinds = expected.get(column.kind, (int, float))
    if not isinstance(cell, kinds) or isinstance(cell, bool):
        raise ValueError(f"{where}: a {column.kind} column cannot hold {cell!r}")
    number = cell.mean if isinstance(cell, Spread) else cell
    if not isinstance(number, str) and not math.isfinite(number):
        raise ValueError(f"{where}: {number} is not finite")


def _cell_text(cell: Cell, column: Column, reasons: list[str]) -> str:
    if cell is None or isinstance(cell, Missing):
        reason = cell.reason if isinstance(cell, Missing) else NOT_PUBLISHED
        if reason not in reasons:
            reasons.append(reason)
        return f"{DASH}{_mark(reasons.index(reason) + 1)}"
    if isinstance(cell, Spread):
        return format_spread(cell, column.decimals)
    if isinstance(cell, str):
        return _clean(cell)
    return format_number(cell, column.decimals)


def _mark(number: int) -> str:
    return str(number).translate(_SUPERSCRIPTS)


def _spread_note(rows: Sequence[Mapping[str, Cell]], columns: Sequence[Column]) -> str:
    counts = {
        cell.n
        for row in rows
        for cell in (row[column.key] for column in columns if column.kind == "spread")
        if isinstance(cell, Spread)
    }
    if not counts or counts == {1}:
        return ""
    seeds = f"{min(counts)} to {max(counts)} seeds (n of each cell is in the CSV)"
    return f"Mean ± sample standard deviation over {seeds if len(counts) > 1 else f'{counts.pop()} seeds'}."


def _clean(text: str) -> str:
    """Return text with line breaks as newline, other control characters as spaces, and no space at its ends."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    separators = ("Cc", "Zl", "Zp")
    return "".join(c if c == "\n" or unicodedata.category(c) not in separators else " " for c in text).strip(" \n")


# --- CSV


def _csv_rows(rows: Sequence[Mapping[str, Cell]], columns: Sequence[Column]) -> tuple[list[dict[str, Any]], list[str]]:
    names: list[str] = []
    for column in columns:
        suffixes = ("_mean", "_std", "_n") if column.kind == "spread" else ("",)
        names += [column.key + suffix for suffix in suffixes]
    written = []
    for row in rows:
        record: dict[str, Any] = dict.fromkeys(names, "")
        remarks = []
        for column in columns:
            cell = row[column.key]
            if isinstance(cell, Missing):
                remarks.append(f"{column.key}: {cell.reason}")
            elif isinstance(cell, Spread):
                record[f"{column.key}_mean"] = _full(cell.mean)
                record[f"{column.key}_std"] = "" if cell.std is None else _full(cell.std)
                record[f"{column.key}_n"] = cell.n
            elif cell is not None:
                record[column.key] = _full(cell)
        record["note"] = "; ".join(remarks)
        written.append(record)
    return written, [*names, "note"]


def _full(value: str | int | float) -> str | int:
    return f"{value:.12g}" if isinstance(value, float) else value


# --- Markdown

_MARKDOWN_SPECIAL = re.compile(r"([\\`*_\[\]<>|~$&])")
_CELL_BREAK = re.compile(r"(?<!\\)((?:\\\\)*)\|")


def _markdown_escape(text: str) -> str:
    return _MARKDOWN_SPECIAL.sub(r"\\\1", text).replace("\n", "<br>")


def _markdown_unescape(text: str) -> str:
    pieces = re.split(r"(\\.)", text)
    return "".join(piece[1:] if index % 2 else piece.replace("<br>", "\n") for index, piece in enumerate(pieces))


def to_markdown(table: RenderedTable) -> str:
    """Return the table in GitHub's Markdown: caption in bold, pipe table, notes as a list."""
    lines = [f"**{_markdown_escape(table.caption)}**", ""]
    lines.append("| " + " | ".join(_markdown_escape(title) for title in table.header) + " |")
    lines.append("|" + "|".join("--:" if numeric else ":--" for numeric in table.numeric) + "|")
    lines += ["| " + " | ".join(_markdown_escape(cell) for cell in row) + " |" for row in table.rows]
    if table.notes:
        lines += ["", *(f"- {_markdown_escape(note)}" for note in table.notes)]
    return "\n".join(lines) + "\n"


def read_markdown_table(path: PathLike) -> RenderedTable:
    """Read a table as written by `write_table`. Raises `UserError` naming the line that does not fit."""
    lines = read_text(path).split("\n")
    caption = re.fullmatch(r"\*\*(.*)\*\*", lines[0])
    if caption is None or len(lines) < 4 or re.fullmatch(r"\|((:--|--:)\|)+", lines[3]) is None:
        raise UserError(f"{path}: not a table written by this workflow; delete it and run again")
    header = _split_cells(lines[2])
    rows, notes = [], []
    for number, line in enumerate(lines[4:], start=5):
        if line.startswith("| "):
            cells = _split_cells(line)
            if len(cells) != len(header):
                raise UserError(
                    f"{path}:{number}: {len(cells)} cells under {len(header)} headers; delete the file and run again"
                )
            rows.append(cells)
        elif line.startswith("- "):
            notes.append(_markdown_unescape(line[2:]))
        elif line:
            raise UserError(f"{path}:{number}: neither table row nor note; delete the file and run again")
    return RenderedTable(
        caption=_markdown_unescape(caption.group(1)),
        header=header,
        numeric=tuple(mark == "--:" for mark in lines[3].strip("|").split("|")),
        rows=tuple(rows),
        notes=tuple(notes),
    )


def _split_cells(line: str) -> tuple[str, ...]:
    cells = _CELL_BREAK.sub(r"\1" + "\x00", line).split("\x00")[1:-1]
    return tuple(_markdown_unescape(cell[1:-1]) for cell in cells)


# --- LaTeX

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "×": r"$\times$",
    "→": r"$\rightarrow$",
    "—": "---",
    "–": "--",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{chr(code): f"\\textsuperscript{{{digit}}}" for code, digit in zip(_SUPERSCRIPTS.values(), "0123456789")},
}


def latex_escape(text: str) -> str:
    """Return text in which every character that LaTeX would read as a command is printed instead."""
    return "".join(_LATEX.get(character, character) for character in text)


def _to_latex(table: RenderedTable, columns: Sequence[Column], label: str) -> str:
    widths = [column.tex_width_cm for column in columns]
    places = [
        f"p{{{width:g}cm}}" if width else ("r" if numeric else "l") for width, numeric in zip(widths, table.numeric)
    ]
    units = [_latex_subheader(column) for column in columns]
    header = [" & ".join(latex_escape(_clean(column.header)) for column in columns) + r" \\"]
    if any(units):
        header.append(" & ".join(latex_escape(unit) for unit in units) + r" \\")
    body = [" & ".join(_latex_cell(cell, width) for cell, width in zip(row, widths)) + r" \\" for row in table.rows]
    notes = [r"\par\smallskip"] if table.notes else []
    notes += [rf"{{\footnotesize {_latex_cell(note, None)}\par}}" for note in table.notes]
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex_cell(table.caption, None)}}}",
        rf"\label{{tab:{label}}}",
        rf"\begin{{tabular}}{{{''.join(places)}}}",
        r"\toprule",
        *header,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        *notes,
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _latex_subheader(column: Column) -> str:
    words = [f"({column.unit})"] if column.unit else []
    return " ".join([*words, "published"] if column.kind == "published" else words)


def _latex_cell(text: str, width: float | None) -> str:
    separator = r"\newline " if width else " "
    cell = separator.join(latex_escape(line) for line in text.split("\n"))
    # A row that begins with [ would be read as the length argument of the line break before it.
    return "{" + cell + "}" if cell.startswith(("[", "*")) else cell
