"""The files of one data set in a folder, found by their names as the original repository and its fork lay them out.

`<data_dir>/<dataset>/<dataset>_{train,valid,test}.json`, teachers' answers under `llm/`; the folder itself may also be
given, and the names `train.json`, `anything_train.json`, and every form and packing that `scripts.data.rows` knows do
as well, so do the hub's shards (`train-00000-of-00001.parquet`, also below `data/`). Validation rows are in `valid`,
`validation`, `val` or `dev`.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any, Sequence

from scripts.common.errors import RowFault, UserError, did_you_mean
from scripts.common.packed import bare_name
from scripts.data.labels import plain_text
from scripts.data.reader_base import each
from scripts.data.rows import ENDINGS, Record, read_rows
from scripts.data.split_files import BELOW, find_split_files, names_of
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
from scripts.step_by_step.splits import Splits, make_splits, svamp_indices

LOG = logging.getLogger(__name__)

DATASETS = tuple(READERS)
_TRAIN = re.compile(r"(?P<prefix>.*?)train(?:[-_]\d.*)?")
"""Name of a training file without its ending: train, my_train, train-00000-of-00001, generic_train_0."""
OWN_VALID = ("esnli", "anli1")
"""Sets whose validation rows come in a file of their own; the others hold out a tenth of the training rows."""
SHOWN = 3  # labels named in a warning


class OwnData:
    """The rows of one data set below `data_dir`, with the reasons and labels of `llm` (palm, gpt, generic or none).

    blanks: whether those around labels count when these are compared for the report, as in `PrepareSettings`.
    options: how one's own rows are read, as in `read_raw`: columns, labels, header, delimiter, quoting.
    """

    def __init__(
        self, data_dir: Path, dataset: str, llm: str, parser: str, blanks: str = "compared", **options: Any
    ) -> None:
        if dataset not in DATASETS:
            raise UserError(
                f"--dataset: unknown data set '{dataset}'{did_you_mean(dataset, DATASETS)}; "
                f"use {', '.join(DATASETS)} (generic: your own rows of input, label and rationale)"
            )
        if not data_dir.is_dir():
            raise UserError(f"--data_dir: no folder {data_dir}; name the folder that holds your files")
        self.data_dir, self.dataset, self.llm, self.parser, self.blanks = data_dir, dataset, llm, parser, blanks
        self.options = options
        self.reports: dict[str, dict[str, Any]] = {}

    def splits(self, *, fraction: float, run: int, with_rationales: bool) -> Splits:
        """Return the rows of one run; `with_rationales` demands one in each training row of one's own files."""
        if self.dataset == "asdiv":  # augments SVAMP (paper, figure 7)
            train = self.rows("svamp", "train") + self.rows("asdiv", "train")
            parts = make_splits(train, None, self.rows("svamp", "test"), fraction=fraction, run=run)
        else:
            valid = self.rows(self.dataset, "valid") if self.has_valid() else None
            train, test = self.rows(self.dataset, "train"), self.rows(self.dataset, "test")
            parts = make_splits(train, valid, test, fraction=fraction, run=run)
        if with_rationales and self.llm == "generic":
            require_rationales(parts.train, self.find(self.dataset, "train")[0])
        self._warn_of_new_labels(parts)
        return parts

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
            raise UserError(
                f"--data_dir: no file for split '{split}' in {places}; expected {dataset}_{split}.json or {split}.json"
                f" (also {', '.join(list(ENDINGS)[1:])}, packed, or in parts {split}-00000-of-00002.parquet)"
            )
        return found

    def _folders(self, dataset: str) -> list[Path]:
        own = self.data_dir / dataset
        return [own, self.data_dir] if own.is_dir() else [self.data_dir]

    def _files(self, dataset: str, split: str) -> list[Path]:
        """Return the files of one split in their order, named as the training files are; none if there are none."""
        whole = {"svamp": ["SVAMP.json"], "asdiv": ["ASDiv.xml", "ASDiv.xml.gz"]}.get(dataset, [])
        for folder in self._folders(dataset):
            prefix = self._prefix(folder, dataset)
            found = find_split_files(folder, [f"{prefix}{name}" for name in names_of(split)])
            if found:
                return found
            for name in whole:
                if (folder / name).is_file():
                    return [folder / name]
        return []

    def _prefix(self, folder: Path, dataset: str) -> str:
        """Return what stands before the split in a folder's file names: the set's name, nothing, or a user's word."""
        paths = [path for below in BELOW for path in sorted((folder / below).glob("*train*"))]
        stems = [Path(bare_name(path)) for path in paths]
        named = [_TRAIN.fullmatch(stem.stem) for stem in stems if stem.suffix.lower() in ENDINGS]
        prefixes = {one["prefix"] for one in named if one}
        if (folder / "train").is_dir():
            prefixes.add("")
        if f"{dataset}_" in prefixes:
            return f"{dataset}_"
        if "" in prefixes:
            return ""
        own = sorted(prefix for prefix in prefixes if prefix.endswith(("_", "-")))
        if dataset != "generic" or not own:
            return f"{dataset}_"
        if len(own) > 1:
            raise UserError(
                f"--data_dir: {folder} holds several sets ({', '.join(prefix + 'train' for prefix in own)}); "
                f"name the files of one of them {dataset}_train, {dataset}_test"
            )
        return own[0]

    def _gold(self, files: Sequence[Path], dataset: str, split: str) -> list[dict[str, Any]]:
        if dataset == "asdiv" and Path(bare_name(files[0])).suffix != ".xml":
            return _asdiv_rows(files)
        rows = read_gold(files, READERS[dataset], **(self.options if dataset == "generic" else {}))
        if files[0].name == "SVAMP.json":
            rows = [rows[i] for i in svamp_indices(len(rows))[0 if split == "train" else 1]]
        return rows

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
