"""Fuzz every reader: whatever a file holds, reading it gives rows or one line, never a traceback.

    python -m tests.fuzz_readers --seconds 600 [--readers json csv ...]     ten minutes each, prints the counts

Files are valid ones of the reader's kind, changed: bytes flipped, cut, repeated, values replaced by odd ones (huge
numbers, deep nesting, NaN, other types, surrogates), packed, or bytes at random.
"""

from __future__ import annotations

import argparse
import bz2
import contextlib
import gzip
import io
import json
import logging
import lzma
import random
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from scripts.common.errors import UserError
from scripts.data.readers import READERS, read_raw
from scripts.data.rows import read_rows
from scripts.data.schemas import SCHEMAS, write_examples

TEXTS = [
    "a",
    "",
    " ",
    "naïve",
    'say "hi"',
    "a\nb",
    "a\tb",
    "0",
    "1",
    "-1",
    "1.0",
    "true",
    "\ud800",
    "x" * 300,
    "\x00",
    "{a}",
    "\u2028",
]
MESSAGES = [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Yes."}]
ROWS: list[dict[str, Any]] = [
    {"instruction": "Hi?", "input": "", "output": "Yes."},
    {"text": "a", "label": 1, "labels": 0, "category": "b"},
    {"messages": MESSAGES},
    {"conversations": [{"from": "human", "value": "Hi?"}, {"from": "gpt", "value": "Yes."}], "system": "Be brief."},
    {"prompt": MESSAGES[:1], "completion": MESSAGES[1:]},
    {"premise": "A.", "hypothesis": "B.", "label": 2},
    {"question": "Where?", "choices": ["zoo", "sea"], "answer": "sea"},
    {"question": "How many?", "answer": "Two.\n#### 2"},
    {"question_id": 1, "category": "c", "turns": ["a", "b"], "choices": [{"turns": ["c", "d"]}]},
    {"id": "s", "instruction": "Do.", "name": "n", "motivation_app": "m", "instances": [{"input": "a", "output": "b"}]},
    {"Body": "B.", "Question": "Q?", "Equation": "1 + 2", "Answer": 3.0},
    {"input": "a", "label": "b", "rationale": "c", "llm_label": "d", "options": ["b", "e"]},
    {"prompt": "a", "completion": "b<|endoftext|>"},
    {"id": "q", "dataset": "d", "instruction": "Hi?", "output": "Yes."},
    {"data": [{"text": "a", "label": "b"}]},
    {"columns": ["text", "label"], "data": [["a", "b"]]},
]  # fmt: skip
XML = '<F><Problem ID="n"><Body>A.</Body><Question>Q?</Question><Answer>9 (x)</Answer></Problem></F>'
LABELS = (None, [], ["0", "1"], ["1", "0"], ["a", "b"], ["true", "false"], ["-1", "0", "1"])


class Raw(str):
    """JSON that Python would not write."""


ODD: list[Any] = [
    *(None, True, False, 0, -1, 2.5, 145.0, 10**30, 1e308, [], {}, [[]], [None], {"a": None}, [1, "a"], *TEXTS),
    *(Raw("NaN"), Raw("-Infinity"), Raw("9" * 5000), Raw("[" * 3000 + "]" * 3000), Raw('{"a":1,"a":2}')),
]  # fmt: skip


def mutated(value: Any, draw: random.Random, chance: float) -> Any:
    """Return a value with odd ones put in here and there."""
    if draw.random() < chance:
        return draw.choice(ODD)
    if isinstance(value, dict):
        items = [(key, mutated(one, draw, chance)) for key, one in value.items() if draw.random() > chance / 4]
        return dict(items)
    if isinstance(value, list):
        return [mutated(one, draw, chance) for one in value] * draw.choice([1, 1, 1, 2])
    return value


def text_of(value: Any) -> str:
    """Return JSON with what stands in `Raw` as it is."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {text_of(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(text_of, value)) + "]"
    return json.dumps(value)


FITS = {
    **{"alpaca_json": [0, 2, 3], "seed_tasks_jsonl": [9], "user_oriented": [9], "t0_jsonl": [12]},
    **{"alpaca_eval_json": [13], "vicuna80": [8], "mt_bench_questions": [8], "dilm_synthetic": [1]},
    **{"gsm8k_jsonl": [7], "nli_pairs": [5], "cos_e": [6], "svamp": [10], "generic_json": [11]},
}
"""Rows of ROWS that a reader can read."""


def json_file(draw: random.Random, name: str) -> bytes:
    rows = [mutated(draw.choice(ROWS), draw, draw.choice([0, 0.02, 0.2])) for _ in range(draw.choice([1, 1, 2, 5]))]
    if draw.random() < 0.8:
        same = draw.choice([ROWS[place] for place in FITS.get(name, range(len(ROWS)))])
        rows = [mutated(same, draw, draw.choice([0, 0, 0.02, 0.2])) for _ in rows]
    texts = [text_of(row) for row in rows]
    form = draw.choice(["[{}]", '{{"data": [{}]}}', '{{"rows": [{}], "test": [{{}}]}}', "lines", "{}"])
    text = "\n".join(texts) if form == "lines" else form.format(", ".join(texts))
    return text.encode("utf-8", "surrogatepass")


def table_file(draw: random.Random, name: str) -> bytes:
    cell = lambda: draw.choice([*TEXTS, '"a"', '"a ""b"""', '"', "a,b", "145.0", "b"])  # noqa: E731
    mark, width = draw.choice([",", "\t", ";", "|"]), draw.choice([1, 2, 2, 3, 4])
    names = draw.choice(
        [["text", "label", "id", "x"], ["text", "category", "text", ""], ["instruction", "output", "", ""]]
    )
    lines = [names[:width], *([cell() for _ in range(width)] for _ in range(draw.choice([0, 1, 3, 6])))]
    return draw.choice(["\n", "\r\n"]).join(mark.join(line) for line in lines).encode("utf-8", "surrogatepass")


def parquet_file(draw: random.Random, name: str) -> bytes:
    import pyarrow
    from pyarrow import parquet

    row = draw.choice([ROWS[place] for place in FITS.get(name, range(len(ROWS)))])
    stream = io.BytesIO()
    labels = draw.choice([[1.0, float("nan")], [True, False], [b"\xff", b"a"], [[1], []]])
    values: dict[str, Any] = {"text": ["a", "b"], "label": labels}
    if draw.random() < 0.7:
        values = {key: [value, None, value] for key, value in row.items()}
    parquet.write_table(pyarrow.table(values), stream)
    return stream.getvalue()


def one_file(draw: random.Random, name: str) -> bytes:
    kinds = {"csv": [table_file], "tsv": [table_file], "parquet": [parquet_file]}
    usual = kinds.get(name.rsplit("_", 1)[-1], [json_file, json_file, table_file, parquet_file])
    content = draw.choice(usual)(draw, name) if draw.random() < 0.95 else draw.randbytes(draw.randrange(200))
    if name == "asdiv_xml":
        content = XML.replace(draw.choice(["A.", "9 (x)", "Body", "n"]), draw.choice(["", "&", "<a>", "é"])).encode()
    if name == "llm_outputs" and draw.random() < 0.7:
        content = text_of([draw.choice(ODD) if draw.random() < 0.1 else "a" for _ in range(3)]).encode(
            "utf-8", "replace"
        )
    if draw.random() < 0.2:
        content = draw.choice([gzip.compress, bz2.compress, lzma.compress])(content)
    if content and draw.random() < 0.3:
        for _ in range(draw.choice([1, 3, 10])):
            place = draw.randrange(len(content))
            content = draw.choice([
                content[:place], content[:place] + draw.randbytes(2) + content[place + 2 :], content[place:],
                content[:place] + content[place : place + 20] * 2 + content[place + 20 :],
            ])  # fmt: skip
            if not content:
                break
    return content


def try_one(folder: Path, name: str, draw: random.Random) -> bool:
    """Read one file in one way; return whether it gave rows. Anything but `UserError` of one line goes through."""
    ending = draw.choice(["", "", ".json", ".jsonl", ".csv", ".tsv", ".parquet", ".gz", ".jsonl.xz"])
    path = folder / f"x{ending}"
    path.write_bytes(one_file(draw, name))
    schema = draw.choice(list(READERS[name].columns) or ["classification", "instruction", *SCHEMAS])
    columns = {}
    if schema == "classification" and draw.random() < 0.7:
        columns = {
            "input": draw.choice(["text", "{text}\n{label}", "text.0"]),
            "output": draw.choice(["label", "labels"]),
        }
    more = {"references": path} if name == "mt_bench_questions" and draw.random() < 0.5 else {}
    try:
        rows = read_raw(
            path, name, schema, columns=columns, labels=draw.choice(LABELS), task="t",
            turns=draw.choice([None, "last"]), **more,
        )  # fmt: skip
        write_examples(folder / "out.jsonl", rows, schema)
        return True
    except UserError as error:
        if "\n" in str(error):
            raise ValueError(f"a message of several lines: {str(error)!r}") from None
        return False


def fuzz(name: str, *, seconds: float | None = None, count: int | None = None, seed: int = 0) -> tuple[int, int]:
    """Return how many files were read and how many of them gave rows."""
    begin, tried, good = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        while (count is None or tried < count) and (seconds is None or time.monotonic() - begin < seconds):
            state = f"{seed} {name} {tried}"
            try:
                good += try_one(Path(folder), name, random.Random(state))
                if tried % 10 == 0:
                    loose(Path(folder))
            except Exception as error:
                raise AssertionError(f"seed {state!r}: {type(error).__name__}: {error!s:.300}") from error
            tried += 1
    return tried, good


def loose(folder: Path) -> None:
    """Read the last file's rows in whatever form they are."""
    for path in folder.glob("x*"):
        with contextlib.suppress(UserError):
            read_rows(path)
        path.unlink()


def main() -> None:
    """Fuzz the readers for so many seconds each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--readers", nargs="+", default=list(READERS))
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    for name in args.readers:
        tried, good = fuzz(name, seconds=args.seconds, seed=args.seed)
        print(f"{name}: {tried} files, {good} gave rows, {tried - good} one line, no traceback", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
