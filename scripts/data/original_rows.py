"""Write chosen rows in the form in which the raw file has them: conversations as conversations, with all their columns.

A subset (NUGGETS, DELIFT) is a file of canonical rows; their ids say which rows of the raw file they are. What is
written has the form of the raw file: a JSON list, JSON lines, CSV or TSV, parquet. It is never packed.
"""

from __future__ import annotations

import argparse
import csv
import io
import logging
from pathlib import Path
from typing import Any, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import atomic_path, write_text
from scripts.common.packed import read_bytes
from scripts.common.settings import parse_settings
from scripts.data.prepare_examples import PrepareSettings
from scripts.data.readers import read_raw_pairs
from scripts.data.rows import Record, form_of
from scripts.data.schemas import read_examples

LOG = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", required=True, nargs="+", type=Path, help="the raw file, or its parts in their order")
    parser.add_argument("--settings", required=True, help="JSON: those of scripts.data.prepare_examples")
    parser.add_argument("--chosen", required=True, type=Path, help="chosen rows, canonical JSON lines of that schema")
    parser.add_argument("--rows-out", required=True, type=Path, help="file in the raw file's form")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, look the chosen ids up, write."""
    args = parse_args(argv)
    settings = parse_settings(PrepareSettings, args.settings)
    chosen = read_examples(args.chosen, settings.schema)
    pairs = read_raw_pairs(
        args.raw,
        settings.reader,
        settings.schema,
        columns=settings.columns,
        labels=settings.labels,
        header=settings.header,
        task=settings.task or "",
        delimiter=settings.delimiter,
        quoting=settings.quoting,
        turns=settings.turns,
    )
    records = find_records(pairs, chosen, args.chosen)
    write_form(args.rows_out, records, args.raw[0], settings.header)
    LOG.info("%s: %d rows in the form of %s", args.rows_out, len(records), args.raw[0])


def find_records(
    pairs: Sequence[tuple[Record, dict[str, Any]]], chosen: Sequence[dict[str, Any]], source: Path
) -> list[Record]:
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


def write_form(path: Path, records: Sequence[Record], raw: Path, header: Sequence[str] | None) -> None:
    """Write records in the form of a raw file, whole or not at all."""
    content = read_bytes(raw)
    form = form_of(raw, content)
    rows = [record.values for record in records]
    if form == "parquet":
        _write_parquet(path, records, content, raw)
    elif form == "json" and content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        write_text(path, _json(rows, indent=2) + "\n")
    elif form == "json":
        write_text(path, "".join(_json(row) + "\n" for row in rows))
    else:
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, delimiter="\t" if form == "tsv" else ",", lineterminator="\n")
        columns = list(rows[0])
        writer.writerows([*([] if header else [columns]), *([row[name] for name in columns] for row in rows)])
        write_text(path, stream.getvalue())


def _json(value: Any, indent: int | None = None) -> str:
    """Return JSON with the names in the order of the raw file."""
    import json

    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    except ValueError:
        raise UserError("--raw: a chosen row holds Infinity, which JSON has no word for; mend the row") from None


def _write_parquet(path: Path, records: Sequence[Record], content: bytes, raw: Path) -> None:
    """Write the rows of a parquet file by their numbers, so that every column keeps its type."""
    import pyarrow
    from pyarrow import parquet

    table = parquet.read_table(pyarrow.BufferReader(content))
    numbers = []
    for record in records:
        file, _, number = record.place.rpartition(": row ")
        if file != str(raw):
            raise UserError(f"--raw: rows of several parquet files cannot be written as one; choose from {raw} alone")
        numbers.append(int(number))
    with atomic_path(path) as temporary:
        parquet.write_table(table.take(numbers), temporary)


if __name__ == "__main__":
    run_step(main)
