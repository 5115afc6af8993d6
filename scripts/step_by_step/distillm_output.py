"""What a training run of distillm leaves: whole, or nothing that could be taken for a model.

Results are written aside and put in place at the end, the file that makes a folder a model last. Until then the folder
is marked as ours by a file of another name; checkpoints stay in it, so that a killed run goes on.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.files import write_json, write_jsonl

LOG = logging.getLogger(__name__)

SAVED_SETTINGS = "distillm.json"
"""The flags of a finished run; `distillm predict` takes a folder with this file for a model."""
UNFINISHED = "unfinished.json"
"""The flags of a run that has not ended: the mark of a folder that may be written to."""
RESULTS = ("model", "metrics.json", "predictions.jsonl", "log.jsonl")


def check_output_dir(folder: Path) -> None:
    """Raise `UserError` if the folder holds something that distillm did not write."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--output_dir: {folder} is a file; name a folder")
    ours = any((folder / name).is_file() for name in (SAVED_SETTINGS, UNFINISHED))
    if folder.is_dir() and any(folder.iterdir()) and not ours:
        raise UserError(f"--output_dir: {folder} is not empty and not distillm's; name another folder")


class TrainingOutput:
    """The folder of one run, as a context: `finish` fills it, anything else leaves it as it was, but for checkpoints.

    A model of an earlier run stays until this one has ended.
    """

    def __init__(self, folder: Path, flags: Mapping[str, Any]) -> None:
        self.folder, self.flags = folder, dict(flags)
        self.checkpoints = folder / "checkpoints"
        self._aside = folder / ".unfinished"
        self._existed = folder.is_dir()

    def __enter__(self) -> TrainingOutput:
        write_json(self.folder / UNFINISHED, self.flags)
        return self

    def finish(
        self,
        loaded: Any,
        metrics: Mapping[str, Any],
        predictions: Sequence[Mapping[str, Any]],
        history: Sequence[Mapping[str, Any]] | None,
    ) -> None:
        """Write model, metrics, answers and, unless it is None, the evaluations; then put all in place."""
        from scripts.lm.checkpoints import save_model

        shutil.rmtree(self._aside, ignore_errors=True)
        save_model(loaded, self._aside / "model")
        write_json(self._aside / "metrics.json", metrics)
        write_jsonl(self._aside / "predictions.jsonl", predictions)
        if history is not None:
            write_jsonl(self._aside / "log.jsonl", history)
        write_json(self._aside / SAVED_SETTINGS, self.flags)
        for name in (SAVED_SETTINGS, *RESULTS):
            old = self.folder / name
            shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
        for name in (*RESULTS, SAVED_SETTINGS):
            if (self._aside / name).exists():
                (self._aside / name).rename(self.folder / name)

    def __exit__(self, *error: Any) -> None:
        shutil.rmtree(self._aside, ignore_errors=True)
        for folder in self.checkpoints.glob("*"):  # what was never written to has nothing to go on from
            if folder.is_dir() and not (folder / "state.safetensors").is_file():
                shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.checkpoints.rmdir()
        finished = (self.folder / SAVED_SETTINGS).is_file()
        if finished and error[0] is not None:
            LOG.warning("%s: still holds the model of an earlier run", self.folder)
        if finished or not self.checkpoints.is_dir():
            (self.folder / UNFINISHED).unlink(missing_ok=True)
        if not self._existed:
            with contextlib.suppress(OSError):
                self.folder.rmdir()
