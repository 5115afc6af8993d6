"""Readers of labelled text: SST-2, BANKING77, AG News, CoLA, GoEmotions, DiLM's distilled sets; and of GSM8K."""

from __future__ import annotations

import logging
import re

from scripts.common.errors import UserError
from scripts.common.files import PathLike
from scripts.data.reader_base import Record, json_records, table_records, value_of

LOG = logging.getLogger(__name__)


def ag_news(path: PathLike) -> list[Record]:
    """Read AG News as the Character-CNN authors give it: no header, classes counted from 1."""
    records = table_records(path, delimiter=",", quoted=True, header=("class", "title", "description"))
    for record in records:
        number = record.values["class"]
        if not number.isdecimal() or number == "0":
            raise UserError(f"{record.place}: class '{number}' is not a number from 1 on; mend or remove that line")
        record.values["label"] = str(int(number) - 1)
    return records


def go_emotions(path: PathLike) -> list[Record]:
    """Read GoEmotions' TSV (with or without header line) and keep the texts with one label.

    A text with several labels has no single right answer, so it is left out, as LongICLBench and DDG count accuracy on
    the single-label texts only.
    """
    header = ("text", "label", "id")
    records = table_records(path, delimiter="\t", quoted=False, header=header)
    if tuple(records[0].values.values()) == header:
        records = records[1:]
    single = [record for record in records if "," not in record.values["label"]]
    if len(single) < len(records):
        LOG.info(
            "%s: left out %d of %d texts, which have several labels", path, len(records) - len(single), len(records)
        )
    return single


def distilled_sets(path: PathLike) -> list[Record]:
    """Read a set distilled by DiLM: one or two text columns and `labels`, a class number."""
    records = []
    for record in json_records(path):
        label = value_of(record, "labels")
        texts = [value for value in record.values.values() if isinstance(value, str)]
        records.append(Record(record.place, {**record.values, "text": "\n".join(texts), "label": label}))
    return records


def grade_school_math(path: PathLike) -> list[Record]:
    """Read GSM8K: the answer's text without calculator marks becomes the rationale, what follows #### the label."""
    records = []
    for record in json_records(path):
        answer = value_of(record, "answer")
        rationale, mark, label = answer.rpartition("####") if isinstance(answer, str) else ("", "", "")
        if not mark:
            raise UserError(f"{record.place}: field 'answer' has no line '#### <number>'; expected GSM8K's answers")
        plain = re.sub(r"<<.*?>>", "", rationale).strip()
        records.append(Record(record.place, {**record.values, "rationale": plain, "label": label.strip()}))
    return records
