"""Score methods on test tasks: zero-shot, in-context learning, tuned LLM, prompt tuning, distilled vectors.

Per task and seed the prefix of a method (nothing, the demonstrations' tokens, or vectors) is made and run once; all
queries with all their options follow it. Demonstrations are distilled once per task and seed. A query's answer is the
option with the highest mean token log-probability; metrics are macro-F1 and accuracy (MEND, section 4; MetaICL).
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.errors import UserError, did_you_mean, run_step
from scripts.common.files import write_csv, write_json
from scripts.common.progress import Progress
from scripts.common.settings import named_values, parse_json, settings_of
from scripts.common.step_parser import StepParser
from scripts.common.tensors import read_tensors
from scripts.lm.flags import add_model_flags, model_options
from scripts.mend.columns import SCORE_COLUMNS
from scripts.mend.demonstrations import Encoder, Ids, PromptFormat, join_for_llm, parse_formats
from scripts.mend.perturbations import PERTURBATIONS, perturb
from scripts.mend.sampling import distiller_batches
from scripts.mend.scoring import Queries, accuracy, task_metrics
from scripts.mend.settings_steps import EvaluateSettings
from scripts.mend.task_files import demonstration_rows, test_file, test_rows

if TYPE_CHECKING:
    from scripts.lm.score import PrefixCache, Scorer
    from scripts.mend.distiller import LoadedDistiller
    from scripts.mend.llm import LargeModel

logger = logging.getLogger(__name__)

KINDS = ("zero_shot", "icl", "tuned", "prompt_tuning", "distilled")


@dataclasses.dataclass(frozen=True)
class Arm:
    """One method to be scored.

    method: its name; kind: one of `KINDS`; source: name of the distiller or tuned model. perturbation: fault put into
    the demonstrations; n_demonstrations: how many (None: k); format: name of a format; groups: demonstration batches
    that are distilled apart.
    """

    method: str
    kind: str
    source: str = ""
    perturbation: str = "none"
    n_demonstrations: int | None = None
    format: str = "default"
    groups: int = 1

    def __post_init__(self) -> None:
        for name, known in (("kind", KINDS), ("perturbation", PERTURBATIONS)):
            value = getattr(self, name)
            if value not in known:
                hint = did_you_mean(str(value), list(known))
                raise UserError(f"--arms: {name} '{value}' of '{self.method}' is not one of {', '.join(known)}{hint}")
        if self.kind in ("tuned", "distilled") and not self.source:
            raise UserError(f"--arms: '{self.method}' is {self.kind} and names no source")
        if self.n_demonstrations is not None and self.n_demonstrations < 1:
            raise UserError(f"--arms: n_demonstrations of '{self.method}' is below 1; use kind zero_shot")


@dataclasses.dataclass(frozen=True)
class Prefix:
    """What stands before the queries.

    vectors: distilled ones or a soft prompt, None where tokens are read or nothing. demonstrations: their tokens as the
    language model reads (or, behind vectors, would read) them. prefix_tokens: tokens of demonstrations read; labels:
    those read, None if unknown.
    """

    vectors: Any
    demonstrations: Ids
    prefix_tokens: int
    labels: frozenset[str] | None

    @property
    def n_vectors(self) -> int:
        """Return how many vectors stand before the queries."""
        return 0 if self.vectors is None else len(self.vectors)

    def run(self, scorer: Scorer) -> PrefixCache | None:
        """Run the prefix once for all queries."""
        if self.vectors is not None:
            return scorer.prefill(embeds=self.vectors)
        return scorer.prefill(self.demonstrations) if self.demonstrations else None


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = StepParser(description=__doc__)
    add_model_flags(parser, family="causal")
    parser.add_argument("--tasks", required=True, help="folder with one folder of k-shot files per task")
    parser.add_argument("--arms", required=True, help="JSON: list of methods to score")
    parser.add_settings(EvaluateSettings)
    parser.add_argument("--formats", required=True, help="JSON: prompt formats by name, one called default")
    parser.add_argument("--distillers", nargs="*", default=(), help="NAME=FOLDER")
    parser.add_argument("--tuned", nargs="*", default=(), help="NAME=FOLDER: tuned models")
    parser.add_argument("--prompts", help="soft prompts (safetensors), for kind prompt_tuning")
    parser.add_argument("--scores-out", required=True, help="CSV, one row per method, task, seed and metric")
    parser.add_argument("--run-out", required=True, help="JSON: seconds per method")
    return parser.parse_args(argv)


def parse_arms(text: str, formats: Mapping[str, PromptFormat]) -> list[Arm]:
    """Return the methods to score. Raises `UserError` for broken JSON, wrong keys, and two equal arms."""
    rows = parse_json("--arms", text, list)
    if not rows:
        raise UserError("--arms: expected a JSON list of methods, at least one")
    arms = [settings_of(Arm, row, f"--arms[{place}]") for place, row in enumerate(rows)]
    for arm in arms:
        if arm.format not in formats:
            hint = did_you_mean(arm.format, list(formats))
            raise UserError(f"--arms: format '{arm.format}' of '{arm.method}' is not in --formats{hint}")
    keys = [(arm.method, arm.perturbation, arm.n_demonstrations, arm.format) for arm in arms]
    for number, key in enumerate(keys):
        if key in keys[:number]:
            raise UserError(f"--arms: method '{key[0]}' twice with the same conditions; give them different names")
    return arms


class Evaluation:
    """Models, formats and test rows of one job; scores arms."""

    def __init__(
        self,
        large: LargeModel,
        formats: Mapping[str, PromptFormat],
        settings: EvaluateSettings,
        tasks: str,
        *,
        distillers: Mapping[str, LoadedDistiller],
        tuned: Mapping[str, LargeModel],
        prompts: Mapping[str, Any],
    ) -> None:
        from scripts.lm.score import Scorer

        self.large, self.settings, self.tasks = large, settings, tasks
        self.distillers, self.prompts = distillers, prompts
        self.encoders = {name: Encoder(large.tokenizer, form) for name, form in formats.items()}
        self._scorers: dict[str, Scorer] = {
            name: Scorer(model.model, batch_tokens=settings.batch_tokens) for name, model in tuned.items()
        }
        self._scorers[""] = Scorer(large.model, batch_tokens=settings.batch_tokens)
        self._queries: dict[tuple[str, Path, bool], Queries] = {}

    def run(self, arm: Arm) -> list[dict[str, Any]]:
        """Return the rows of one arm: every task, seed and metric."""
        rows = []
        for task in self.settings.task_names:
            for seed in self.settings.seeds:
                rows += self.score(arm, task, seed)
        return rows

    def score(self, arm: Arm, task: str, seed: int) -> list[dict[str, Any]]:
        """Return the rows of one arm on one task with one seed's demonstrations."""
        settings = self.settings
        scorer = self._scorers[arm.source if arm.kind == "tuned" else ""]
        before = self.prefix(arm, task, seed)
        asked = self.queries(scorer, arm, test_file(self.tasks, task, settings.shots, seed))
        asked = asked.behind(before.demonstrations)
        predicted = asked.answers(None if asked.whole else before.run(scorer), scorer, settings.ties)
        gold = [row["output"] for row in asked.rows]
        values = task_metrics(predicted, gold, (settings.metric_of or {}).get(task, "macro_f1"), settings.f1)
        found = [(name, value, len(gold)) for name, value in values.items()]
        if before.labels is not None:
            for name, seen in (("accuracy_seen_labels", True), ("accuracy_unseen_labels", False)):
                pairs = [(p, g) for p, g in zip(predicted, gold) if (g in before.labels) == seen]
                if pairs:
                    found.append((name, accuracy(*zip(*pairs)), len(pairs)))
        shared = {
            "method": arm.method,
            "task": task,
            "seed": seed,
            "perturbation": arm.perturbation,
            "n_demonstrations": self.count(arm),
            "format": arm.format,
            "prefix_tokens": before.prefix_tokens,
            "n_vectors": before.n_vectors,
            "shots": settings.shots,
        }
        return [{**shared, "metric": name, "value": f"{value:.9g}", "n": n} for name, value, n in found]

    def count(self, arm: Arm) -> int:
        """Return how many demonstrations an arm is given."""
        if arm.kind == "zero_shot":
            return 0
        return self.settings.shots if arm.n_demonstrations is None else arm.n_demonstrations

    def queries(self, scorer: Scorer, arm: Arm, path: Path) -> Queries:
        """Return the packed test rows of a file in an arm's format, made once."""
        encoder = self.encoders[arm.format]
        first = arm.kind == "zero_shot" and encoder.form.marks_first
        key = (arm.format, path, first)
        if key not in self._queries:
            rows = test_rows(path, self.settings.max_test)
            self._queries[key] = Queries(scorer, encoder, rows, str(path), first=first)
        return self._queries[key]

    def prefix(self, arm: Arm, task: str, seed: int) -> Prefix:
        """Make what stands before the queries."""
        if arm.kind == "zero_shot":
            return Prefix(None, (), 0, frozenset())
        if arm.kind == "prompt_tuning":
            return Prefix(self._prompt(task, seed), (), 0, None)
        encoder = self.encoders[arm.format]
        rows = demonstration_rows(self.tasks, task, self.settings.shots, seed, self.count(arm))
        shown = perturb(rows, arm.perturbation, seed)
        examples = encoder.examples(shown)
        joined = join_for_llm(examples, encoder.form)
        if arm.kind == "distilled":
            from scripts.mend.distiller import distil

            batches = distiller_batches(examples, encoder, arm.groups)
            vectors = distil(self.distillers[arm.source], batches, self.large.device)
            labels = frozenset(row["output"] for row in shown)
            # A query behind vectors is cut by what the demonstrations themselves would leave it (MEND's release).
            teacher = joined.ids if encoder.form.room == "mend" else ()
            return Prefix(vectors, teacher, sum(map(len, batches)), labels)
        labels = frozenset(row["output"] for row in shown[: joined.n_used])
        return Prefix(None, joined.ids, len(joined.ids), labels)

    def _prompt(self, task: str, seed: int) -> Any:
        name = f"{task}/{seed}"
        if name not in self.prompts:
            raise UserError(f"--prompts: no soft prompt for task {task}, seed {seed}; train it with train_baselines")
        return self.prompts[name].to(self.large.device, self.large.dtype)


def load_sources(
    args: argparse.Namespace, arms: Sequence[Arm], large: LargeModel
) -> tuple[dict[str, LoadedDistiller], dict[str, LargeModel], dict[str, Any]]:
    """Load the distillers, tuned models and soft prompts that the arms name.

    Raises `UserError` where one is missing.
    """
    from scripts.lm.load import load_model
    from scripts.mend.distiller import load_distiller_for
    from scripts.mend.llm import LargeModel

    folders = {
        "distilled": named_values("--distillers", args.distillers, "NAME=FOLDER"),
        "tuned": named_values("--tuned", args.tuned, "NAME=FOLDER"),
    }
    distillers, tuned = {}, {}
    for arm in arms:
        if arm.kind not in folders or arm.source in (distillers if arm.kind == "distilled" else tuned):
            continue
        if arm.source not in folders[arm.kind]:
            flag = "--distillers" if arm.kind == "distilled" else "--tuned"
            raise UserError(
                f"{flag}: '{arm.source}', source of '{arm.method}', is not named"
                f"{did_you_mean(arm.source, list(folders[arm.kind]))}"
            )
        folder = folders[arm.kind][arm.source]
        if arm.kind == "distilled":
            distillers[arm.source] = load_distiller_for(
                large, folder, dtype=args.dtype, device=args.device, threads=args.threads
            )
        else:
            tuned[arm.source] = LargeModel(load_model(**{**model_options(args), "source": folder}))
    prompts: dict[str, Any] = {}
    if any(arm.kind == "prompt_tuning" for arm in arms):
        if not args.prompts:
            raise UserError("--prompts: an arm of kind prompt_tuning needs the file of soft prompts")
        prompts = read_prompts(args.prompts)
    return distillers, tuned, prompts


def read_prompts(path: str) -> dict[str, Any]:
    """Return the soft prompts of a file by `task/seed`. Raises `UserError` for a missing or damaged file."""
    import torch

    return {name: torch.from_numpy(table) for name, table in read_tensors(path)[0].items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Score all arms and write their table."""
    args = parse_args(argv)
    settings: EvaluateSettings = args.settings
    formats = parse_formats(args.formats)
    arms = parse_arms(args.arms, formats)
    from scripts.lm.load import load_model
    from scripts.mend.llm import LargeModel

    loaded = load_model(**model_options(args))
    large = LargeModel(loaded)
    for name in sorted({arm.format for arm in arms}):
        formats[name].check_window(large.window, name)
    distillers, tuned, prompts = load_sources(args, arms, large)
    evaluation = Evaluation(large, formats, settings, args.tasks, distillers=distillers, tuned=tuned, prompts=prompts)
    rows, seconds = [], []
    with Progress(len(arms), "arms") as progress:
        for arm in arms:
            began = time.perf_counter()
            found = evaluation.run(arm)
            seconds.append({**dataclasses.asdict(arm), "seconds": round(time.perf_counter() - began, 3)})
            scores = [float(row["value"]) for row in found if row["metric"] == "score"]
            mean, count = sum(scores) / len(scores), evaluation.count(arm)
            logger.info("%s (%s, %s demonstrations, %s)", arm.method, arm.perturbation, count, arm.format)
            progress.advance(1, {"mean score": mean}, line=True)
            rows += found
    write_csv(args.scores_out, rows, SCORE_COLUMNS)
    write_json(args.run_out, {"arms": seconds, "device": str(large.device), "dtype": str(large.dtype)})


if __name__ == "__main__":
    run_step(main)
