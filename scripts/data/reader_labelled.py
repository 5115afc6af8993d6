"""Readers of labelled text: SST-2, BANKING77, AG News, CoLA, GoEmotions, DiLM's distilled sets; and of GSM8K."""

from __future__ import annotations

import logging
import re

from scripts.common.errors import RowFault
from scripts.common.files import PathLike
from scripts.data.labels import Position
from scripts.data.layout import UNKNOWN, Layout
from scripts.data.reader_base import each, one_line, value_of
from scripts.data.rows import Record, read_rows

LOG = logging.getLogger(__name__)


def ag_news(path: PathLike, layout: Layout = UNKNOWN) -> list[Record]:
    """Read AG News as the Character-CNN authors give it: no header, classes counted from 1."""
    columns = ("class", "title", "description")
    return each(read_rows(path, "csv", Layout(columns, layout.delimiter, layout.quoting)), path, _counted_from_1)


def _counted_from_1(record: Record) -> Record:
    number = record.values["class"].strip()
    if not (number.isascii() and number.isdecimal() and len(number) < 10) or int(number) == 0:
        raise RowFault(record.place, f"class '{number:.40}' is not a number from 1 on; mend or remove that line")
    return Record(record.place, {**record.values, "label": Position(int(number) - 1)})


def go_emotions(path: PathLike, layout: Layout = UNKNOWN) -> list[Record]:
    """Read GoEmotions' TSV (with or without header line) and keep the texts with one label.

    A text with several labels has no single right answer, so it is left out, as LongICLBench and DDG count accuracy on
    the single-label texts only.
    """
    header = ("text", "label", "id")
    records = read_rows(path, "tsv", Layout(header, layout.delimiter, layout.quoting))
    if tuple(records[0].values.values()) == header:
        records = records[1:]
    single = [record for record in records if "," not in record.values["label"]]
    if len(single) < len(records):
        LOG.info(
            "%s: left out %d of %d texts, which have several labels", path, len(records) - len(single), len(records)
        )
    return single


def distilled_sets(path: PathLike) -> list[Record]:
    """Read a set distilled by DiLM: one or two text columns, each a line, and `labels`, a class number."""
    return each(read_rows(path), path, _distilled)


def _distilled(record: Record) -> Record:
    label = value_of(record, "labels")
    if isinstance(label, int) and not isinstance(label, bool):
        label = Position(label)
    texts = [value for value in record.values.values() if isinstance(value, str)]
    text = "\n".join(map(one_line, texts)) if len(texts) > 1 else "".join(texts)
    return Record(record.place, {**record.values, "text": text, "label": label})


def grade_school_math(path: PathLike) -> list[Record]:
    """Read GSM8K: the answer's text without calculator marks becomes the rationale, what follows #### the label."""
    return each(read_rows(path), path, _solved)


def _solved(record: Record) -> Record:
    answer = value_of(record, "answer")
    rationale, mark, label = answer.rpartition("####") if isinstance(answer, str) else ("", "", "")
    if not mark:
        raise RowFault(record.place, "field 'answer' has no line '#### <number>'; expected GSM8K's answers")
    plain = re.sub(r"<<.*?>>", "", rationale).strip()
    return Record(record.place, {**record.values, "rationale": plain, "label": label.strip()})
