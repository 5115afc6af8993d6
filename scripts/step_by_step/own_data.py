"""The files of one data set in a folder, found by their names as the original repository and its fork lay them out.

`<data_dir>/<dataset>/<dataset>_{train,valid,test}.json`, teachers' answers under `llm/`; the folder itself may also be
given, and other names and forms do as well (`scripts.data.split_files`, `scripts.data.rows`). Without a test file a
share of one's own training rows is held out for the test.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import RowFault, UserError, did_you_mean
from scripts.common.packed import bare_name
from scripts.data.endings import ENDINGS
from scripts.data.labels import plain_text
from scripts.data.layout import UNKNOWN, Layout
from scripts.data.reader_base import each
from scripts.data.rows import Record, read_rows
from scripts.data.split_files import find_split_files, named_files, names_of
from scripts.step_by_step.data import (
    READERS,
    align,
    count_answers,
    own_reasons,
    read_answers,
    read_gold,
    require_rationales,
    with_answers,
)
from scripts.step_by_step.own_files import FLAGS, USUAL, read_records
from scripts.step_by_step.splits import Splits, make_splits, svamp_indices, train_test_indices

LOG = logging.getLogger(__name__)

DATASETS = tuple(READERS)
OWN_VALID = ("esnli", "anli1")
"""Sets whose validation rows come in a file of their own; the others hold out a tenth of the training rows."""
SHOWN = 3  # labels and files named in a message


@dataclasses.dataclass(frozen=True)
class OwnSettings:
    """How one's own rows (data set `generic`) are found and read.

    columns: field -> column, where a column is not called input, label or rationale. files: split -> files, instead of
    those found in the folder. test_share: share of the training rows held out where there is no test file, in (0, 1).
    split_seed: of that draw. layout: of the files that are tables, where it is not to be found by looking.
    """

    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    files: Mapping[str, Sequence[Path]] = dataclasses.field(default_factory=dict)
    test_share: float = 0.1
    split_seed: int = 0
    layout: Layout = UNKNOWN

    def __post_init__(self) -> None:
        if not 0 < self.test_share < 1:
            raise UserError(f"--test_share: {self.test_share} is not above 0 and below 1; give a share such as 0.1")


class OwnData:
    """The rows of one data set below `data_dir`, with the reasons and labels of `llm` (palm, gpt, generic or none).

    blanks: whether those around labels count when these are compared for the report, as in `PrepareSettings`.
    settings: how one's own rows are found and read.
    """

    def __init__(
        self,
        data_dir: Path,
        dataset: str,
        llm: str,
        parser: str,
        settings: OwnSettings | None = None,
        *,
        blanks: str = "compared",
    ) -> None:
        if dataset not in DATASETS:
            raise UserError(
                f"--dataset: unknown data set '{dataset}'{did_you_mean(dataset, DATASETS)}; "
                f"use {', '.join(DATASETS)} (generic: your own rows of input, label and rationale)"
            )
        self.settings = settings or OwnSettings()
        if not data_dir.is_dir() and not self.settings.files:
            what = f"no folder {data_dir}; name the folder that holds your files"
            if data_dir.is_file():
                what = f"{data_dir} is a file; name its folder, or give the file as --train_file"
            raise UserError(f"--data_dir: {what}")
        self.data_dir, self.dataset, self.llm, self.parser, self.blanks = data_dir, dataset, llm, parser, blanks
        self._found: dict[tuple[str, str], list[Path]] = {}
        self.reports: dict[str, dict[str, Any]] = {}

    def splits(self, *, fraction: float, run: int, with_rationales: bool) -> Splits:
        """Return the rows of one run; `with_rationales` demands one in each training row of one's own files."""
        if self.dataset == "asdiv":  # augments SVAMP (paper, figure 7)
            train = self.rows("svamp", "train") + self.rows("asdiv", "train")
            parts = make_splits(train, None, self.rows("svamp", "test"), fraction=fraction, run=run)
        else:
            valid = self.rows(self.dataset, "valid") if self.has_valid() else None
            train, test = self._train_and_test()
            parts = make_splits(train, valid, test, fraction=fraction, run=run)
        if self.dataset == "generic" and not self.settings.files:
            self._warn_of_unread_files()
        if with_rationales and self.llm == "generic":
            source = self.find(self.dataset, "train")[0]
            self._hint_at_rationales(source, parts.train)
            require_rationales(parts.train, source)
        self._warn_of_new_labels(parts)
        return parts

    def _train_and_test(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return training and test rows; one's own rows without a test file give a share of theirs."""
        train = self.rows(self.dataset, "train")
        if self.dataset != "generic" or self._files(self.dataset, "test"):
            return train, self.rows(self.dataset, "test")
        share, seed = self.settings.test_share, self.settings.split_seed
        source = self.find(self.dataset, "train")[0]
        if len(train) < 2:
            raise UserError(f"{source}: {len(train)} row cannot be parted into training and test rows; give more")
        kept, held = train_test_indices(len(train), share, seed)
        LOG.warning(
            "%s: no test file beside it; %d of %d rows are held out for the test (--test_share %g, --split_seed %d)",
            source, len(held), len(train), share, seed,
        )  # fmt: skip
        return [train[i] for i in kept], [train[i] for i in held]

    def has_valid(self) -> bool:
        """Tell whether the validation rows have a file of their own."""
        if self.dataset in OWN_VALID:
            return True
        return self.dataset == "generic" and bool(self._files(self.dataset, "valid"))

    def rows(self, dataset: str, split: str) -> list[dict[str, Any]]:
        """Return the rows of one split with the teacher's reasons and labels."""
        files = self.find(dataset, split)
        rows = self._gold(files, dataset, split)
        if self.llm == "generic":
            return own_reasons(rows)
        if self.llm == "none":
            return [{**row, "rationale": ""} for row in rows]
        source = f"{dataset}/{split}, answers of {self.llm}"
        answers = read_answers(self._answers(dataset, split))
        rows = align(rows, answers, split, source)
        rows, read = with_answers(rows, answers, format_name=dataset, parser=self.parser, teacher=self.llm)
        self.reports[f"{dataset}_{split}"] = count_answers(rows, read, dataset, source, self.blanks)
        return rows

    def find(self, dataset: str, split: str) -> list[Path]:
        """Return the files of one split. Raises `UserError` naming what was looked for."""
        found = self._files(dataset, split)
        if not found:
            places = " or ".join(str(folder) for folder in self._folders(dataset))
            own = f", or give your file as --{split}_file" if dataset == "generic" else ""
            raise UserError(
                f"--data_dir: no file for split '{split}' in {places}; expected {dataset}_{split}.json or {split}.json"
                f" (also {', '.join(list(ENDINGS)[1:])}, packed, or in parts {split}-00000-of-00002.parquet){own}"
            )
        return found

    def _folders(self, dataset: str) -> list[Path]:
        own = self.data_dir / dataset
        return [own, self.data_dir] if own.is_dir() else [self.data_dir]

    def _files(self, dataset: str, split: str) -> list[Path]:
        """Return the files of one split in their order, named as the training files are; none if there are none."""
        if self.settings.files:
            return list(self.settings.files.get(split, ()))
        if (dataset, split) not in self._found:  # looked for once, so that what is said of the files is said once
            self._found[dataset, split] = self._look(dataset, split)
        return self._found[dataset, split]

    def _look(self, dataset: str, split: str) -> list[Path]:
        whole = {"svamp": ["SVAMP.json"], "asdiv": ["ASDiv.xml", "ASDiv.xml.gz"]}.get(dataset, [])
        for folder in self._folders(dataset):
            prefix = self._prefix(folder, dataset)
            files = find_split_files(folder, [f"{prefix}{name}" for name in names_of(split)])
            files = files or [folder / name for name in whole if (folder / name).is_file()][:1]
            if files:
                return files
        return []

    def _prefix(self, folder: Path, dataset: str) -> str:
        """Return what stands before the split in a folder's file names: the set's name, nothing, or a user's word."""
        prefixes = sorted({one.prefix for one in named_files(folder) if one.split == "train"})
        if any((folder / name).is_dir() for name in names_of("train")):
            prefixes.append("")
        own = f"{dataset}_"
        if own in prefixes or not prefixes:
            return own
        if "" in prefixes:
            return ""
        if dataset != "generic":
            return own
        if len(prefixes) > 1:
            raise UserError(
                f"--data_dir: {folder} holds several sets ({', '.join(prefix + 'train' for prefix in prefixes)}); "
                f"name the files of one of them {dataset}_train, {dataset}_test, or give them as --train_file"
            )
        return prefixes[0]

    def _warn_of_unread_files(self) -> None:
        """Say which files of the folder look like parts of the set and are not read."""
        read = {path for split in ("train", "valid", "test") for path in self._files("generic", split)}
        for folder in {path.parent for path in read}:
            unread = [one.path.name for one in named_files(folder) if one.path not in read]
            if unread:
                shown = ", ".join(unread[:SHOWN]) + (", ..." if len(unread) > SHOWN else "")
                used = ", ".join(sorted(path.name for path in read if path.parent == folder)[:SHOWN])
                LOG.warning("%s: %d files there are not read (%s), only %s", folder, len(unread), shown, used)

    def _gold(self, files: Sequence[Path], dataset: str, split: str) -> list[dict[str, Any]]:
        if dataset == "generic":
            return self._own_rows(files)
        if dataset == "asdiv" and Path(bare_name(files[0])).suffix != ".xml":
            return _asdiv_rows(files)
        rows = read_gold(files, READERS[dataset])
        if files[0].name == "SVAMP.json":
            rows = [rows[i] for i in svamp_indices(len(rows))[0 if split == "train" else 1]]
        return rows

    def _own_rows(self, files: Sequence[Path]) -> list[dict[str, Any]]:
        """Read one's own rows; a column that is not there is named with its flag, not with a key of the registry."""
        columns, layout = self.settings.columns, self.settings.layout
        table = {"delimiter": layout.delimiter, "quoting": layout.quoting}
        rows = []
        for path in files:
            try:
                rows += read_gold([path], READERS["generic"], columns=columns, **table)
            except UserError:
                read_records(path, columns, ("input", "label"), layout)
                raise
        return [{**row, "id": str(number)} for number, row in enumerate(rows)]

    def _hint_at_rationales(self, source: Path, rows: Sequence[Mapping[str, Any]]) -> None:
        """Raise `UserError` that names the columns there are where no row has a rationale and none was named."""
        if "rationale" in self.settings.columns or any(row["rationale"].strip() for row in rows):
            return
        present = dict.fromkeys(
            str(name) for one in read_records(source, {}, (), self.settings.layout) for name in one.values
        )
        if "rationale" not in present:
            flag = FLAGS["rationale"]
            likely = next((f", perhaps {flag} {name}" for name in present if name.lower() in USUAL["rationale"]), "")
            raise UserError(
                f"{source}: none of {len(rows)} rows has a rationale; fill the field 'rationale', name yours with "
                f"{flag}{likely} (found {', '.join(present)}), or train on labels alone (--model_type standard)"
            )

    def _answers(self, dataset: str, split: str) -> list[Path]:
        """Return the files of the teacher's answers in the order of their numbers."""
        patterns = [f"llm/{split}_CoT_*.json*", f"llm_{split}_CoT_*.json*", f"{dataset}_{self.llm}_{split}_*.json*"]
        if self.llm == "gpt":
            patterns = [f"gpt/{split}*.json*", f"gpt_{split}*.json*", *patterns[2:]]
            whole = self.data_dir / "gpt-neox" / dataset / f"{split}.json"
            if whole.is_file():
                return [whole]
        for folder in self._folders(dataset):
            for pattern in patterns:
                found = sorted(folder.glob(pattern), key=_number)
                if found:
                    return found
        where = self._folders(dataset)[0]
        raise UserError(
            f"--llm {self.llm}: no answers for {dataset}/{split}; expected {where}/{patterns[0]} "
            "(make them with scripts.step_by_step.extract_rationales), or use --llm none with --model_type standard"
        )

    def _warn_of_new_labels(self, parts: Splits) -> None:
        """Say how many test labels no training row has: a student may not find them."""
        if self.dataset != "generic":
            return
        known = {row["label"] for row in parts.train}
        new = [row["label"] for row in parts.test if row["label"] not in known]
        if new:
            shown = ", ".join(repr(label) for label in list(dict.fromkeys(new))[:SHOWN])
            LOG.warning(
                "%s: %d of %d test rows have a label that no training row has (%s)",
                self.find(self.dataset, "test")[0], len(new), len(parts.test), shown,
            )  # fmt: skip


def _number(path: Path) -> tuple[int, str]:
    """Return the number at the end of a file's name, for sorting."""
    found = re.findall(r"\d+", path.name.split(".")[0])
    return int(found[-1]) if found else -1, path.name


def _asdiv_rows(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Read ASDiv from JSON rows (Body, Question, Answer), as the original repository keeps it."""
    from scripts.data.schemas import validate

    rows = [row for path in files for row in each(read_rows(path), path, _asdiv_row)]
    return validate([{**row, "id": str(number)} for number, row in enumerate(rows)], "distillation", files[0])


def _asdiv_row(record: Record) -> dict[str, Any]:
    texts = {name: plain_text(record.values.get(name)) for name in ("Body", "Question", "Answer")}
    missing = [name for name, text in texts.items() if not isinstance(text, str) or not text.strip()]
    if missing:
        raise RowFault(record.place, f"field '{missing[0]}' is missing or empty; mend or remove the row")
    label = texts["Answer"].strip().split(" ")[0]
    text = f"{texts['Body']}\n{texts['Question']}"
    return {"input": text, "label": label, "rationale": "", "llm_label": "", "options": []}
