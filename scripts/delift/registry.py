"""DELIFT's own data registries, `huggingface_datasets.json` and `benchmark_datasets.json`, taken as they are.

An entry names a dataset of the hub and its columns: `input`, `output` (needed), `instruction` (optional), `subset` (its
configuration, optional), `split_names` (or `split_name`): training, validation and test split separated by `|`, slices
allowed (`train[:70%]|train[70%:90%]|train[90%:]`); a single split is cut 70 / 20 / 10 in order. Beyond the original:
`files` maps a split to a file of one's own; a column may be a path into nested values (`answers.text.0`) or a template
(`{context} {question}`); `output` may name a column that holds a conversation (`messages`), of which `turns`, first or
last, says which answer is read; `delimiter` and `quoting` are those of a table. `special_processing` is let through
with a warning: of such datasets only MT-Bench's judgments are known here.
# DEVIATION: an entry without `input` takes its prompts from `instruction` (the released Magpie entry needs it); the
# released code fails there. Rows keep their order; the released code shuffles benchmarks without a seed.
# DEVIATION: of MT-Bench's human judgments the first decided one of each question and turn is kept; the released code
# keeps all, ties as wins of the second model.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.checksums import check_beside
from scripts.common.errors import RowFault, UserError, did_you_mean
from scripts.common.files import PathLike, read_json
from scripts.common.settings import check_choice
from scripts.data.chat import COLUMNS, WAYS, ChatFault, read_turns, told_of, turns_of
from scripts.data.labels import plain_text
from scripts.data.layout import Layout
from scripts.data.reader_base import each, value_of
from scripts.data.rows import Record, read_rows
from scripts.data.schemas import validate
from scripts.data.split_files import find_split_files, names_of

logger = logging.getLogger(__name__)

KEYS = ("input", "output", "instruction", "subset", "split_names", "split_name", "files", "special_processing",
        "delimiter", "quoting", "turns")  # fmt: skip
PARTS = ("train", "validation", "test")
SINGLE_SPLIT = ("[:70%]", "[70%:90%]", "[90%:]")
HUB_REVISION = "refs/convert/parquet"
"""Branch in which the hub keeps every dataset as parquet: <configuration>/<split>/<number>.parquet."""

_SLICE = re.compile(r"^(?P<name>[^\[\]+|]+?)(?:\[(?P<start>-?\d+%?)?:(?P<stop>-?\d+%?)?\])?$")


@dataclasses.dataclass(frozen=True)
class Slice:
    """Rows of one upstream split: `start` and `stop` as written (a number, a percentage or empty)."""

    name: str
    start: str = ""
    stop: str = ""

    def rows(self, n: int) -> range:
        """Return the rows of `n`; percentages are rounded to the nearest row, as `datasets` does."""
        return range(*slice(self._place(self.start, n), self._place(self.stop, n)).indices(n))

    @staticmethod
    def _place(bound: str, n: int) -> int | None:
        if not bound:
            return None
        return round(int(bound[:-1]) * n / 100) if bound.endswith("%") else int(bound)


@dataclasses.dataclass(frozen=True)
class Entry:
    """One dataset of a registry file, checked. splits: part -> the slices that make it; files: split -> path."""

    dataset: str
    source: str
    columns: Mapping[str, str]
    subset: str | None
    splits: Mapping[str, tuple[Slice, ...]]
    files: Mapping[str, str]
    delimiter: str | None = None
    quoting: str | None = None
    turns: str = WAYS[0]

    @property
    def judged(self) -> bool:
        """Return whether this is MT-Bench's set of judged conversations, which is read in its own way."""
        return self.dataset.rsplit("/", 1)[-1] == "mt_bench_human_judgments"


def read_entries(path: PathLike) -> dict[str, Entry]:
    """Return the datasets of a registry file. Raises `UserError` naming file, dataset, attribute and remedy."""
    content = read_json(path)
    if not isinstance(content, dict) or not content:
        kind = type(content).__name__
        raise UserError(f"{path}: expected datasets by their hub id, found {kind}; see docs/delift.md")
    return {str(name): _entry(str(name), row, f"{path}: {name}") for name, row in content.items()}


def find_entry(path: PathLike, dataset: str) -> Entry:
    """Return one dataset of a registry file, by its id or the id's last part."""
    entries = read_entries(path)
    short = {name.rsplit("/", 1)[-1]: name for name in entries}
    name = dataset if dataset in entries else short.get(dataset, dataset)
    if name not in entries:
        raise UserError(f"{path}: no dataset '{dataset}'{did_you_mean(dataset, list(entries))}; add an entry")
    return entries[name]


def _entry(name: str, row: Any, place: str) -> Entry:
    if not isinstance(row, dict):
        raise UserError(f"{place}: expected attributes ({', '.join(KEYS[:5])}), found {type(row).__name__}")
    for key in row:
        if key not in KEYS:
            raise UserError(f"{place}.{key}: unknown attribute{did_you_mean(str(key), KEYS)}; known: {', '.join(KEYS)}")
    judged = name.rsplit("/", 1)[-1] == "mt_bench_human_judgments"
    if row.get("special_processing") and not judged:
        logger.warning("%s.special_processing: is left out of account; give columns, a template or files", place)
    for key in KEYS:
        if (
            key not in ("files", "special_processing")
            and key in row
            and row[key] is not None
            and not isinstance(row[key], str)
        ):
            raise UserError(f"{place}.{key}: expected text, found {type(row[key]).__name__}")
    if not row.get("output") and not judged:
        raise UserError(f"{place}.output: is missing; name the column that holds the answers")
    if not row.get("input") and not row.get("instruction") and not judged:
        raise UserError(f"{place}.input: is missing, and so is instruction; name the column that holds the prompts")
    written = row.get("split_names") or row.get("split_name")
    if not written:
        raise UserError(f"{place}.split_names: is missing; give train|validation|test, or one split to be cut 70/20/10")
    files = row.get("files") or {}
    if not isinstance(files, dict) or not all(isinstance(file, str) for file in files.values()):
        raise UserError(f'{place}.files: expected paths by split; give {{"train": "my.jsonl"}}')
    columns = {key: row[key] for key in ("input", "output", "instruction") if row.get(key)}
    layout = Layout(None, row.get("delimiter"), row.get("quoting")).checked(f"{place}.")
    turns = row.get("turns") or WAYS[0]
    check_choice(f"{place}.turns", turns, WAYS)
    splits = _splits(written, f"{place}.split_names")
    return Entry(name, place, columns, row.get("subset"), splits, files, layout.delimiter, layout.quoting, turns)


def _splits(written: str, place: str) -> dict[str, tuple[Slice, ...]]:
    parts = [part.strip() for part in written.split("|")]
    if len(parts) == 1 and "[" not in parts[0]:
        parts = [parts[0] + cut for cut in SINGLE_SPLIT]
    if len(parts) != len(PARTS):
        raise UserError(f"{place}: '{written}' names {len(parts)} splits; give train|validation|test, or one")
    return {name: tuple(parse_slice(one, place) for one in part.split("+")) for name, part in zip(PARTS, parts)}


def parse_slice(text: str, place: str) -> Slice:
    """Return a split with its bounds. Raises `UserError` for anything but name, name[a:b], percentages allowed."""
    found = _SLICE.match(text.strip())
    if not found:
        raise UserError(
            f"{place}: '{text}' is no split; write a name, or a slice such as train[:70%] or train[100:200]"
        )
    return Slice(found["name"], found["start"] or "", found["stop"] or "")


def split_files(entry: Entry, split: str, mirror: PathLike) -> list[Path]:
    """Return the files of one upstream split: those of `files`, else those in the mirror folder.

    In the mirror: <id>/<subset>/<split> or <id>/<split> as `find_split_files` knows them (any form, packed or not,
    parts <split>-00000-of-0000n.parquet, also below data/); <id> with or without owner.
    Raises `UserError` naming the places that were looked at.
    """
    if entry.files:
        if split not in entry.files:
            raise UserError(
                f"{entry.source}.files: no file for split '{split}'{did_you_mean(split, list(entry.files))}"
            )
        return [Path(mirror) / entry.files[split]]
    folders = [Path(mirror) / name for name in (entry.dataset, entry.dataset.rsplit("/", 1)[-1])]
    places = [place for folder in folders for place in (folder / entry.subset if entry.subset else folder, folder)]
    for place in dict.fromkeys(places):
        found = find_split_files(place, names_of(split))
        if found:
            return found
    raise UserError(
        f"{entry.source}: split '{split}' is not in {' or '.join(map(str, dict.fromkeys(places)))}; put {split}.jsonl"
        " (.json, .csv, .tsv, .parquet) there, or name your file under 'files'"
    )


def fetch_split(entry: Entry, split: str, downloads: PathLike) -> list[Path]:
    """Fetch a split's parquet parts from the hub into `downloads` unless they are there; return them."""
    from scripts.data.download import FileSettings, fetch_file, hub_files

    folder = Path(downloads) / entry.dataset
    wanted = f"{entry.subset or 'default'}/{split}/"
    paths = [path for path in hub_files(entry.dataset, HUB_REVISION) if path.startswith(wanted)]
    if not paths:
        raise UserError(
            f"{entry.source}: the hub has no split '{split}' of configuration '{entry.subset or 'default'}'"
        )
    for path in paths:
        if not (folder / path).is_file():
            hub = {"repo": entry.dataset, "revision": HUB_REVISION, "path": path}
            settings = FileSettings(f"{entry.dataset}/{path}", None, hub, None, None)
            fetch_file(settings, folder / path, Path(downloads) / "checksums.json")
    return [folder / path for path in paths]


def read_part(entry: Entry, part: str, mirror: PathLike | None, downloads: PathLike | None) -> list[dict[str, Any]]:
    """Return training, validation or test rows as canonical instruction rows, ids `<split>_<row>`.

    mirror: folder with the files; None fetches them from the hub into `downloads`. Raises `UserError` for a missing
    column, a value that is no text, a row without a prompt, and a part without rows.
    """
    if part not in PARTS:
        raise UserError(f"--part: unknown part '{part}'{did_you_mean(part, PARTS)}; use {', '.join(PARTS)}")
    rows: list[dict[str, Any]] = []
    places: list[str] = []
    for piece in entry.splits[part]:
        if mirror is None and not entry.files:
            paths = fetch_split(entry, piece.name, downloads or "")
        else:
            paths = split_files(entry, piece.name, mirror or "")
        records = [record for path in paths for record in _records(path, entry)]
        found = judged_rows(records) if entry.judged else _rows(records, entry, paths[0])
        for number in piece.rows(len(found)):
            rows.append({"id": f"{piece.name}_{number}", **found[number]})
            places.append(records[number].place if not entry.judged else f"{paths[0]}, judgment {number}")
    return validate(rows, "instruction", entry.source, places)


def _records(path: Path, entry: Entry) -> list[Record]:
    check_beside(path)
    return read_rows(path, layout=Layout(None, entry.delimiter, entry.quoting))


def _rows(records: Sequence[Record], entry: Entry, source: PathLike) -> list[dict[str, str]]:
    """Return the records' texts. Raises `UserError` that counts all that lack one."""
    told = each(records, source, lambda record: _row(record, entry))
    left_out = sum(more for _, more in told)
    if left_out:
        logger.warning(
            "%s: %d of %d conversations have further answers, which are left out; turns: last reads the last one",
            source, left_out, len(records),
        )  # fmt: skip
    return [row for row, _ in told]


def _row(record: Record, entry: Entry) -> tuple[dict[str, str], bool]:
    """Return a record's texts, and whether further answers of a conversation are left out.

    Where only one of instruction and input is there, it becomes the instruction.
    """
    said = turns_of({COLUMNS[0]: record.values.get(entry.columns.get("output", ""))})
    if said is not None:
        try:
            told = told_of(read_turns(said, record.values.get("system")), entry.turns)
        except ChatFault as fault:
            raise RowFault(record.place, str(fault)) from None
        return {"instruction": told.instruction, "input": "", "output": told.output}, told.n_left_out > 0
    texts = {key: _text(record, column, entry, key) for key, column in entry.columns.items()}
    instruction, given = texts.get("instruction", ""), texts.get("input", "")
    if not instruction.strip():
        instruction, given = given, ""
    return {"instruction": instruction, "input": given, "output": texts["output"]}, False


def _text(record: Record, column: str, entry: Entry, key: str) -> str:
    """Return the value of a column, nested path or template as text; what is missing is an empty text."""
    try:
        value = value_of(record, column)
    except RowFault:
        known = [str(name) for name in record.values]
        named = f"'{column}'{did_you_mean(column, known)}, named by {entry.source}.{key}"
        raise RowFault(record.place, f"no column {named}; found {', '.join(known)}") from None
    if isinstance(value, (dict, list)):
        raise RowFault(
            record.place,
            f"column '{column}' holds {type(value).__name__}, not text; name a value inside it, such as"
            f" {column}.{'0' if isinstance(value, list) else next(iter(value), 'key')}",
        )
    return "" if value is None else str(plain_text(value))


def judged_rows(records: Sequence[Record]) -> list[dict[str, str]]:
    """Return MT-Bench's judged conversations with the answer that won, the first decision of each question and turn.

    The prompt is the conversation before the judged answer; judgments that are ties are left out.
    """
    chosen: dict[tuple[str, str], dict[str, str]] = {}
    for key, row in each(records, "MT-Bench's human judgments", _judged):
        if row is not None:
            chosen.setdefault(key, row)
    return list(chosen.values())


def _judged(record: Record) -> tuple[tuple[str, str], dict[str, str] | None]:
    """Return the question and turn of a judgment with the winner's conversation, None for a tie."""
    values = record.values
    missing = [
        key for key in ("question_id", "turn", "winner", "conversation_a", "conversation_b") if key not in values
    ]
    if missing:
        raise RowFault(record.place, f"no column '{missing[0]}'; expected MT-Bench's human judgments")
    key = (str(values["question_id"]), str(values["turn"]))
    if values["winner"] not in ("model_a", "model_b"):
        return key, None
    said = values["conversation_a" if values["winner"] == "model_a" else "conversation_b"]
    try:
        turns = [(turn["role"], turn["content"]) for turn in said[: 2 * int(values["turn"])]]
        output = turns[-1][1]
    except (KeyError, IndexError, TypeError, ValueError):
        raise RowFault(record.place, "the judged conversation is no list of turns with role and content") from None
    instruction = "\n".join(f"{role}: {text}" for role, text in turns[:-1])
    return key, {"instruction": instruction, "input": "", "output": output}
