"""Measure how good the mini world is: what the shipped causal LM has learned, with 95 % intervals.

Experiments (paper `mini_world`): `labels_in_context` has `in_context_accuracy` (settings trained, held_out, shuffled,
shuffled_held_out, trained_20_classes, held_out_20_classes; methods demos_0 ...) beside the `guessing_rate`.
`authors_and_instructions` has `author_auc` (methods golden and mean_gain; settings all, one a family, one a fault),
`right_over_careless_nats` (methods after_careful and after_careless; settings one a fault) and
`same_instruction_better` (settings all, one a family). Each has `_low` and `_high` rows with the ends of its 95 %
interval: Wilson's for shares, bootstrap over candidates for the area under the curve, Student's over trials for nats.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, Sequence

import numpy as np

from scripts.common.errors import UserError, run_step
from scripts.common.metrics import metric_row, write_metrics
from scripts.common.seeding import generator, seed_all
from scripts.common.settings import parse_settings
from scripts.common.spread import spread
from scripts.mini_world.plan import AUTHORS, IN_CONTEXT

if TYPE_CHECKING:
    from scripts.mini_world.measure import Reader

PAPER = "mini_world"
FEW_CLASSES = (3, 5)
ROUNDS, MANY_CLASSES = (0, 20, 40, 60, 80, 100), 20
SCORER_TOKENS = 2048


@dataclasses.dataclass(frozen=True)
class EvaluateSettings:
    """Sizes of the evaluation.

    n_topics, words_per_topic, n_held_out: the world of the model; documents, long_documents: classification documents
    with up to 15 demonstrations, and with 20 classes and up to 100; candidates_per_family: right candidates a family
    (and as many careless ones), n_anchors: anchors that each is tried on; trials: of the same-instruction question;
    continuation_trials: of right against careless answers, for each fault; resamples: of the bootstrap.
    """

    n_topics: int
    words_per_topic: int
    n_held_out: int
    documents: int
    long_documents: int
    candidates_per_family: int
    n_anchors: int
    trials: int
    continuation_trials: int
    resamples: int


def load_reader(folder: Path, settings: EvaluateSettings) -> Reader:
    """Return the saved model as something to be measured. Raises `UserError` if its words are not the world's."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from scripts.data.synthetic_words import build_world
    from scripts.lm.score import Scorer
    from scripts.mini_world.measure import Reader

    if not (folder / "config.json").is_file():
        raise UserError(f"{folder}: no model here (config.json is missing); name the folder of a mini model")
    world = build_world(settings.n_topics, settings.words_per_topic, settings.n_held_out)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    token_ids = {token: index for index, token in enumerate(world.vocabulary)}
    if tokenizer.get_vocab() != token_ids:
        raise UserError(f"{folder}: the tokenizer's words are not those of this world; check n_topics and its siblings")
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()

    @torch.no_grad()
    def predict(ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        states = model.model(input_ids=ids, use_cache=False).last_hidden_state
        return model.lm_head(states.flatten(0, 1)[positions])

    return Reader(world, token_ids, predict, scorer=Scorer(model, batch_tokens=SCORER_TOKENS))


def row(model: str, setting: str, method: str, seed: int, metric: str, value: float, n: int) -> dict[str, Any]:
    """Return one row of the long metrics schema."""
    experiment = IN_CONTEXT if metric.startswith(("in_context", "guessing")) else AUTHORS
    return metric_row(PAPER, experiment, setting, model, method, seed, metric, value, n)


def share_rows(model: str, setting: str, method: str, seed: int, metric: str, hits: np.ndarray) -> list[dict[str, Any]]:
    """Return the share of hits (n,) with both ends of its interval."""
    from scripts.mini_world.measure import wilson

    n = len(hits)
    low, high = wilson(int(hits.sum()), n)
    ends = ((metric, float(hits.mean())), (f"{metric}_low", low), (f"{metric}_high", high))
    return [row(model, setting, method, seed, name, value, n) for name, value in ends]


def in_context_rows(reader: Reader, model: str, seed: int, settings: EvaluateSettings) -> list[dict[str, Any]]:
    """Return the accuracy of naming hidden labels, by number of demonstrations, kind of topic and order of labels."""
    from scripts.mini_world.measure import in_context_hits

    rows = []
    kinds = (("trained", reader.world.trained_topics), ("held_out", reader.world.held_out_topics))
    few = {"seed": seed, "n_documents": settings.documents, "classes": FEW_CLASSES}
    for name, topics in kinds:
        hits = in_context_hits(reader, topics, asked=range(16), **few)
        for k in range(16):
            rows += share_rows(model, name, f"demos_{k}", seed, "in_context_accuracy", hits[:, k])
        shuffled = in_context_hits(reader, topics, asked=(15,), shuffled=True, **few)
        setting = "shuffled" if name == "trained" else f"shuffled_{name}"
        rows += share_rows(model, setting, "demos_15", seed, "in_context_accuracy", shuffled[:, 0])
    many = {"seed": seed, "n_documents": settings.long_documents, "classes": (MANY_CLASSES, MANY_CLASSES)}
    for name, topics in kinds:
        hits = in_context_hits(reader, topics, asked=ROUNDS, balanced=True, **many)
        for index, k in enumerate(ROUNDS):
            setting = f"{name}_{MANY_CLASSES}_classes"
            rows += share_rows(model, setting, f"demos_{k}", seed, "in_context_accuracy", hits[:, index])
    sizes = range(FEW_CLASSES[0], FEW_CLASSES[1] + 1)
    guess = sum(1 / size for size in sizes) / len(sizes)
    rows.append(row(model, "shuffled", "guessing", seed, "guessing_rate", guess, settings.documents))
    rows.append(
        row(model, f"trained_{MANY_CLASSES}_classes", "guessing", seed, "guessing_rate", 1 / MANY_CLASSES, len(hits))
    )
    return rows


def auc_interval(scores: np.ndarray, good: np.ndarray, resamples: int, rng: np.random.Generator) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the area under the curve; good and bad items are drawn apart."""
    from scripts.mini_world.measure import auc

    better, worse = scores[good], scores[~good]
    labels = np.arange(len(scores)) < len(better)
    values = [
        auc(np.concatenate((rng.choice(better, len(better)), rng.choice(worse, len(worse)))), labels)
        for _ in range(resamples)
    ]
    return float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))


def author_rows(reader: Reader, model: str, seed: int, settings: EvaluateSettings) -> list[dict[str, Any]]:
    """Return how well single examples' gains separate right from careless ones: all, by family, by fault."""
    from scripts.mini_world.measure import auc, author_gains

    gains = author_gains(reader, seed=seed, per_family=settings.candidates_per_family, n_anchors=settings.n_anchors)
    good = gains.good
    families = np.array([candidate.family for candidate in gains.candidates])
    faults = np.array([candidate.fault or "" for candidate in gains.candidates])
    parts = {"all": np.ones(len(good), dtype=bool)}
    parts.update({f"family_{name}": families == name for name in sorted(set(families))})
    parts.update({f"fault_{name}": good | (faults == name) for name in sorted(set(faults) - {""})})
    rows = []
    for method, scores in (("golden", gains.golden), ("mean_gain", gains.gains.mean(axis=1))):
        for setting, chosen in parts.items():
            rng = generator(seed, "bootstrap", method, setting)
            low, high = auc_interval(scores[chosen], good[chosen], settings.resamples, rng)
            value = auc(scores[chosen], good[chosen])
            for name, number in (("author_auc", value), ("author_auc_low", low), ("author_auc_high", high)):
                rows.append(row(model, setting, method, seed, name, number, int(chosen.sum())))
    return rows


def continuation_rows(reader: Reader, model: str, seed: int, settings: EvaluateSettings) -> list[dict[str, Any]]:
    """Return by how much right answers are likelier than careless ones, after either kind of author."""
    from scripts.data.synthetic_instructions import FAULTS
    from scripts.mini_world.measure import continuation_odds

    rows = []
    for fault in FAULTS:
        odds = continuation_odds(reader, fault, seed=seed, n_trials=settings.continuation_trials)
        for column, method in enumerate(("after_careful", "after_careless")):
            value = spread(odds[:, column].tolist())
            ends = (("", value.mean), ("_low", value.low), ("_high", value.high))
            for suffix, number in ends:
                metric = f"right_over_careless_nats{suffix}"
                rows.append(row(model, f"fault_{fault}", method, seed, metric, number, len(odds)))
    return rows


def instruction_rows(reader: Reader, model: str, seed: int, settings: EvaluateSettings) -> list[dict[str, Any]]:
    """Return how often an example of the same neutral instruction helps more than one of another, by family."""
    from scripts.data.synthetic_instructions import FAMILIES
    from scripts.mini_world.measure import same_instruction_hits

    families, hits = same_instruction_hits(reader, seed=seed, n_trials=settings.trials)
    rows = share_rows(model, "all", "demos_1", seed, "same_instruction_better", hits)
    for family in FAMILIES:
        asked = np.array([name == family for name in families])
        if asked.any():
            rows += share_rows(model, f"family_{family}", "demos_1", seed, "same_instruction_better", hits[asked])
    return rows


def evaluate(
    reader: Reader, model: str, seed: int, settings: EvaluateSettings, experiment: str
) -> list[dict[str, Any]]:
    """Return every measure of an experiment as rows of the long metrics schema."""
    parts = (in_context_rows,) if experiment == IN_CONTEXT else (author_rows, continuation_rows, instruction_rows)
    return [row for part in parts for row in part(reader, model, seed, settings)]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, type=Path, help="folder of the causal LM")
    parser.add_argument("--name", required=True, help="the model's name in the metrics")
    parser.add_argument("--settings", required=True, help="sizes, one JSON object (EvaluateSettings)")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--threads", required=True, type=int, help="threads of torch")
    parser.add_argument("--experiment", required=True, choices=(IN_CONTEXT, AUTHORS), help="what is measured")
    parser.add_argument("--measured-out", required=True, type=Path, help="measurement file, CSV")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the model and write the metrics."""
    args = parse_args(argv)
    settings = parse_settings(EvaluateSettings, args.settings)
    import torch

    torch.set_num_threads(args.threads)
    seed_all(args.seed)
    reader = load_reader(args.model, settings)
    write_metrics(args.measured_out, evaluate(reader, args.name, args.seed, settings, args.experiment))


if __name__ == "__main__":
    run_step(main)
