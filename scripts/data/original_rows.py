"""Write chosen rows in the form in which the raw file has them: conversations as conversations, with all their columns.

A subset (NUGGETS, DELIFT) is a file of canonical rows; their ids say which rows of the raw file they are. What is
written has the form of the raw file, or of the first of its parts: a JSON list, JSON lines, CSV or TSV with its
delimiter, parquet. It is never packed.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import Any, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import atomic_path, text_of, whole_folder, write_text
from scripts.common.packed import bare_name, read_bytes
from scripts.common.registry_settings import PrepareSettings
from scripts.common.step_parser import StepParser
from scripts.data.endings import ENDINGS
from scripts.data.layout import Layout
from scripts.data.preparing import reading_of
from scripts.data.readers import find_reader, read_raw_pairs
from scripts.data.rows import Record, form_of
from scripts.data.schemas import read_examples
from scripts.data.tables import table_style, table_text

LOG = logging.getLogger(__name__)

Pairs = Sequence[tuple[Record, dict[str, Any]]]


class CannotBeWritten(UserError):
    """Rows that the raw file's form has no place for."""


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--raw", required=True, nargs="+", type=Path, help="the raw file, or its parts in their order")
    parser.add_settings(PrepareSettings)
    parser.add_argument(
        "--chosen",
        required=True,
        type=Path,
        help="chosen rows, canonical JSON lines of that schema; or a folder with such files, at any depth",
    )
    parser.add_argument(
        "--rows-out", required=True, type=Path, help="file in the raw file's form; of a folder a folder, alike inside"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, look the chosen ids up, write."""
    args = parse_args(argv)
    settings: PrepareSettings = args.settings
    reading = reading_of(settings)
    pairs = read_raw_pairs(args.raw, settings.reader, settings.schema_, **reading)
    header = reading["header"] if reading["header"] is not None else find_reader(settings.reader).header
    layout = Layout(header, reading["delimiter"], reading["quoting"]).checked()
    if args.chosen.is_dir():
        _write_folder(args, settings.schema_, pairs, layout)
        return
    records = find_records(pairs, read_examples(args.chosen, settings.schema_), args.chosen)
    write_form(args.rows_out, records, args.raw, layout)
    LOG.info("%s: %d rows in the form of %s", args.rows_out, len(records), args.raw[0])


def _write_folder(args: argparse.Namespace, schema: str, pairs: Pairs, layout: Layout) -> None:
    """Write the rows of each file of a folder to a file of the same name with the raw file's ending.

    A file whose rows the form has no place for is left out with a warning: its canonical rows are there all the same.
    """
    files = sorted(args.chosen.rglob("*.jsonl"))
    if not files:
        raise UserError(f"--chosen: {args.chosen} holds no .jsonl file; name the folder of chosen rows, or one file")
    suffix = ending_of(args.raw[0])
    with whole_folder(args.rows_out) as folder:
        for file in files:
            records = find_records(pairs, read_examples(file, schema), file)
            path = folder / file.relative_to(args.chosen).with_suffix(suffix)
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                write_form(path, records, args.raw, layout)
            except CannotBeWritten as error:
                LOG.warning("%s: is not written in the form of %s: %s", file, args.raw[0], error)
                continue
            LOG.info(
                "%s: %d rows in the form of %s", args.rows_out / path.relative_to(folder), len(records), args.raw[0]
            )


def ending_of(raw: Path) -> str:
    """Return the ending of a raw file's name without its packing's, or that of its form where the name says none."""
    own = Path(bare_name(raw)).suffix
    form = form_of(raw, read_bytes(raw))
    return own if ENDINGS.get(own.lower()) == form else f".{form}"


def find_records(pairs: Pairs, chosen: Sequence[dict[str, Any]], source: Path) -> list[Record]:
    """Return the records of the chosen rows in their order. Raises `UserError` for a row that the raw file lacks."""
    if pairs and "id" not in pairs[0][1]:
        raise UserError("--settings: rows of this schema have no id; only instructions can be looked up")
    known = {row["id"]: (record, row) for record, row in pairs}
    found = []
    for row in chosen:
        record, same = known.get(row["id"], (None, None))
        if record is None or same != row:
            what = "is not in the raw file" if record is None else "differs from that of the raw file"
            raise UserError(f"{source}: row '{row['id']}' {what}; give the raw file and settings it was prepared from")
        found.append(record)
    return found


def write_form(path: Path, records: Sequence[Record], raw: Sequence[Path], layout: Layout) -> None:
    """Write records in the form of a raw file, or of the first of its parts, whole or not at all.

    layout: what the settings say of a table. Raises `CannotBeWritten` for values that the form has no place for.
    """
    content = read_bytes(raw[0])
    form = form_of(raw[0], content)
    rows = [record.values for record in records]
    if form == "parquet":
        _write_parquet(path, records, raw)
    elif form == "json" and content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        write_text(path, _json(rows, indent=2) + "\n")
    elif form == "json":
        write_text(path, "".join(_json(row) + "\n" for row in rows))
    else:
        delimiter, quoted = table_style(text_of(content, raw[0]), raw[0], form, layout)
        columns = list(dict.fromkeys(name for row in rows for name in row))
        cells = [[_cell(row.get(name)) for name in columns] for row in rows]
        write_text(path, table_text(cells if layout.header else [columns, *cells], delimiter, quoted=quoted))


def _cell(value: Any) -> str:
    """Return a value as a cell of a table; what a part of another form has beyond texts stands as JSON."""
    return value if isinstance(value, str) else "" if value is None else _json(value)


def _json(value: Any, indent: int | None = None) -> str:
    """Return JSON with the names in the order of the raw file."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    except ValueError:
        raise CannotBeWritten("--raw: a chosen row holds Infinity, which JSON has no word for; mend the row") from None
    except TypeError as error:  # a date or bytes of a parquet part beside JSON
        raise CannotBeWritten(f"--raw: a chosen row holds what JSON has no form for ({error}); mend the row") from None


def _write_parquet(path: Path, records: Sequence[Record], raw: Sequence[Path]) -> None:
    """Write the rows of parquet files by their numbers, so that every column keeps its type."""
    import pyarrow
    from pyarrow import parquet

    places = [record.place.rpartition(": row ") for record in records]
    needed = {file for file, _, _ in places}
    starts, tables, total = {}, [], 0
    for part in raw:
        if str(part) not in needed:
            continue
        content = read_bytes(part)
        if form_of(part, content) == "parquet":
            starts[str(part)] = total
            tables.append(parquet.read_table(pyarrow.BufferReader(content)))
            total += tables[-1].num_rows
    if not needed <= starts.keys():
        raise CannotBeWritten(f"--raw: not all parts are parquet files as {raw[0]} is; give parts of one form")
    try:
        table = tables[0] if len(tables) == 1 else pyarrow.concat_tables(tables, promote_options="permissive")
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise CannotBeWritten(
            f"--raw: the parts' columns have types that do not go together ({reason:.150}); choose from one part alone"
        ) from None
    numbers = [starts[file] + int(number) for file, _, number in places]
    with atomic_path(path) as temporary:
        parquet.write_table(table.take(numbers), temporary)


if __name__ == "__main__":
    run_step(main)
