"""What both evaluations measure: their runs, the names under which values are kept, and how runs become values.

What was measured is named by its experiment, never by where it is shown: `LEARNERS` (classifiers trained on a method's
sets) or in_context/<protocol> (a language model with a method's demonstrations in its prompt). The setting is
<task>/dpc_<texts a class> or <task>/full there, <task>/round_<texts a class shown>/<scorer> here; without
demonstrations the round is 0. A value is one seed's, the mean over draws and learners. With a single seed, as in DiLM,
every draw and learner gives a value of its own: then the spread is over those.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Iterable, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.files import PathLike, read_csv
from scripts.ddg.run_columns import FULL, ZERO_SHOT

PAPER = "ddg"
SCORE = "score_percent"
DIFFERENCE = "difference_percent"
LEARNERS = "learners"
SETS, TRAINING = "sets", "training"
"""Experiments of which only reasons are kept: texts and training curves are shown from their own files."""
AVERAGE = "average"
"""Stands in place of a task for the mean over tasks."""

SeedValues = Mapping[int, "tuple[float, int]"]
"""{seed: (value in percent, how many values it is the mean of)}."""


@dataclasses.dataclass(frozen=True)
class LearnerRun:
    """Classifiers of one kind trained on a method's sets of one size (`FULL`: all texts) and tested on a task."""

    task: str
    learner: str
    method: str
    size: str

    @property
    def setting(self) -> str:
        """Return the setting under which its values are kept."""
        return learner_setting(self.task, self.size)


@dataclasses.dataclass(frozen=True)
class ContextRun:
    """A method's demonstrations in a language model's prompt, in the wording, order and rounds of a protocol."""

    task: str
    model: str
    protocol: str
    method: str


def learner_setting(task: str, size: int | str) -> str:
    """Return the setting of learners trained on sets with so many texts a class, or on all texts (`FULL`)."""
    return f"{task}/{FULL}" if size == FULL else f"{task}/dpc_{size}"


def context_setting(task: str, scorer: str, number: int, method: str = "") -> str:
    """Return the setting of a round in context; a prompt without demonstrations has round 0 only."""
    return f"{task}/round_{0 if method == ZERO_SHOT else number}/{scorer}"


def context_experiment(protocol: str) -> str:
    """Return the experiment of what a protocol measures in context."""
    return f"in_context/{protocol}"


def by_seed(rows: Iterable[Mapping[str, str]], column: str, several: bool) -> dict[int, tuple[float, int]]:
    """Return {seed: (mean in percent, values in it)}; with one seed only {number of the value: (value, 1)}."""
    if not several:
        return {number: (100 * float(row[column]), 1) for number, row in enumerate(rows)}
    groups: dict[int, list[float]] = {}
    for row in rows:
        groups.setdefault(int(row["seed"]), []).append(100 * float(row[column]))
    return {seed: (math.fsum(values) / len(values), len(values)) for seed, values in sorted(groups.items())}


def learner_values(
    rows: Iterable[Mapping[str, str]], method: str, size: int | str, metric: str, *, several: bool
) -> dict[int, tuple[float, int]]:
    """Return the scores of one method and size among the runs of train_learners. several: whether there are seeds."""
    wanted = (method, str(size), metric)
    return by_seed([r for r in rows if (r["method"], r["dpc"], r["metric"]) == wanted], "value", several)


def context_values(
    rows: Iterable[Mapping[str, str]], protocol: str, scorer: str, method: str, number: int, *, several: bool
) -> dict[int, tuple[float, int]]:
    """Return the accuracies of one method and round among the runs of evaluate_in_context."""
    wanted = (protocol, scorer, method, str(0 if method == ZERO_SHOT else number))
    found = [r for r in rows if (r["protocol"], r["scorer"], r["method"], r["round"]) == wanted]
    return by_seed(found, "accuracy", several)


def read_jobs(
    flag: str, jobs: Sequence[str], paths: Sequence[PathLike], columns: Sequence[str]
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return the runs of all files by (task, model), those of one pair together.

    jobs: TASK/MODEL of each file. Raises `UserError` where jobs and files do not match, or a job has another form.
    """
    if len(jobs) != len(paths):
        raise UserError(f"{flag}: {len(paths)} files for {len(jobs)} jobs; give one for each")
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for job, path in zip(jobs, paths):
        task, mark, model = job.partition("/")
        if not mark or "/" in model:
            raise UserError(f"{flag}: '{job}' is not of the form TASK/MODEL")
        found.setdefault((task, model), []).extend(read_csv(path, columns))
    return found
