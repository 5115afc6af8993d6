"""Count the operations with which each method chooses, by the one formula of `scripts.lm.flops`.

What a method lets the model read follows from its definition and its templates; texts count in the model's own tokens.
An example that stands before many targets is read once, as all methods here do it. What is no language model's work
(greedy search, clustering, sorting) is left out: it is small beside it, and its seconds stand in the times.
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any, Callable, Mapping, Sequence

import numpy as np

from scripts.common.errors import run_step
from scripts.common.files import write_csv
from scripts.common.settings import parse_settings
from scripts.data.schemas import read_examples
from scripts.head_to_head.columns import OPERATION_COLUMNS
from scripts.lm.flops import ModelShape, shape_of
from scripts.lm.prompts import Prompt, fill, plain_ids
from scripts.selection.methods import COSTS, NOTHING


@dataclasses.dataclass(frozen=True)
class CountSettings:
    """Of each method what decides how much is read; the same-named keys of the papers' settings.

    golden: prompt, separator, anchor_tokens of NUGGETS; difficulty: prompt; utility: prompt, templates of DELIFT;
    embed: prompt, output, max_tokens; selectit: prompt, rating_prompts, template; less: prompt, warmup_fraction,
    epochs, max_tokens; finetune: prompt, method, max_steps, epochs, batch_size, accumulation and n_examples of one
    training run on a subset, counted for comparison. A method that is None is not counted.
    """

    golden: Mapping[str, Any]
    difficulty: Mapping[str, Any]
    utility: Mapping[str, Any]
    embed: Mapping[str, Any]
    selectit: Mapping[str, Any] | None
    less: Mapping[str, Any] | None
    finetune: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Rows:
    """pool: to choose from; reference: the query set; targets: whose answers DELIFT predicts; goal: all asked for."""

    pool: Sequence[Mapping[str, str]]
    reference: Sequence[Mapping[str, str]]
    targets: Sequence[Mapping[str, str]]
    goal: Sequence[Mapping[str, str]]


class Counter:
    """Counts for one pool, language model and embedding model; every method gives the operations of its choice."""

    def __init__(
        self, rows: Rows, settings: CountSettings, model: tuple[ModelShape, Any], embedder: tuple[ModelShape, Any]
    ) -> None:
        self.rows, self.settings = rows, settings
        self.shape, self.tokenizer = model
        self.embedder, self.embedder_tokenizer = embedder

    def lengths(self, texts: Sequence[str]) -> np.ndarray:
        """Return the tokens of each text, (n,) float64."""
        return np.array([len(plain_ids(self.tokenizer, text)) for text in texts], dtype=np.float64)

    def queries(self, rows: Sequence[Mapping[str, str]], template: Mapping[str, str]) -> np.ndarray:
        """Return the tokens of each row's text up to its answer."""
        prompt = Prompt.from_config(template).of(self.tokenizer)
        return self.lengths([prompt.query(row) for row in rows])

    def answers(self, rows: Sequence[Mapping[str, str]], template: Mapping[str, str]) -> np.ndarray:
        """Return the tokens of each row's answer."""
        prompt = Prompt.from_config(template)
        return self.lengths([prompt.response(row) for row in rows])

    def read(self, tokens: np.ndarray, predicted: np.ndarray | float = 0.0, shape: ModelShape | None = None) -> float:
        """Return the operations of reading sequences of these lengths, each on its own."""
        shape = shape or self.shape
        return float(sum(shape.forward(n, n, p) for n, p in np.broadcast(tokens, predicted)))

    def behind(self, before: np.ndarray, tokens: np.ndarray, predicted: np.ndarray) -> float:
        """Return the operations of reading every sequence behind every one of those before, which are read once."""
        once = self.read(before)
        matrices = self.shape.forward(tokens.sum(), 0, predicted.sum()) * len(before)
        looking = sum(self.shape.attention(n, len(before) * n + before.sum()) for n in tokens)
        return once + matrices + float(looking)

    def golden_score(self) -> float:
        """NUGGETS: the goal's rows alone, and behind each example of the pool."""
        own = self.settings.golden
        query, answer = self.queries(self.rows.goal, own["prompt"]), self.answers(self.rows.goal, own["prompt"])
        limit = np.inf if own["anchor_tokens"] is None else own["anchor_tokens"]
        kept = np.minimum(query + answer, limit)
        answer = np.maximum(0, kept - query)
        prompt = Prompt.from_config(own["prompt"]).of(self.tokenizer)
        examples = self.lengths([prompt.shown(row) + own["separator"] for row in self.rows.pool])
        fed = kept - 1  # the last token of an answer is predicted, not read
        return self.read(fed, answer) + self.behind(examples, fed, answer)

    def utility(self) -> float:
        """DELIFT: the targets alone, and behind each example of the pool and of the query set."""
        own = self.settings.utility
        prompt, shown = Prompt.from_config(own["prompt"]).of(self.tokenizer), own["templates"]
        examples = [
            fill(shown["example"], prompt=prompt.query(row), response=prompt.response(row))
            for row in (*self.rows.pool, *self.rows.reference)
        ]
        asked = [prompt.query(row) for row in self.rows.targets]
        answer = self.answers(self.rows.targets, own["prompt"])
        alone = self.lengths([fill(shown["alone"], prompt=text) for text in asked]) + answer - 1
        behind = self.lengths([fill(shown["query"], prompt=text) for text in asked]) + answer - 1
        return self.read(alone, answer) + self.behind(self.lengths(examples), behind, answer)

    def perplexity(self) -> float:
        """Low perplexity: every answer once behind its query; an empty one has none."""
        answered = [row for row in self.rows.pool if row["output"].strip()]
        answer = self.answers(answered, self.settings.difficulty["prompt"])
        return self.read(self.queries(answered, self.settings.difficulty["prompt"]) + answer - 1, answer)

    def ifd(self) -> float:
        """IFD: as perplexity, and every answer once alone, behind one token that begins it."""
        answered = [row for row in self.rows.pool if row["output"].strip()]
        answer = self.answers(answered, self.settings.difficulty["prompt"])
        return self.perplexity() + self.read(answer, answer)

    def selectit(self) -> float:
        """SelectIT: every example in every wording of the request to rate it."""
        own = self.settings.selectit
        prompt = Prompt.from_config(own["prompt"]).of(self.tokenizer)
        texts = [
            fill(own["template"], rating_prompt=asked, prompt=prompt.query(row), response=prompt.response(row))
            for row in self.rows.pool
            for asked in own["rating_prompts"]
        ]
        return self.read(self.lengths(texts))

    def less(self) -> float:
        """LESS: a warm-up of adapters on a part of the pool, and at each checkpoint a gradient of every example."""
        own = self.settings.less
        pool, goal = (
            np.minimum(self.queries(rows, own["prompt"]) + self.answers(rows, own["prompt"]) + 1, own["max_tokens"])
            for rows in (self.rows.pool, self.rows.goal)
        )
        both = np.concatenate([pool, goal])
        gradients = sum(self.shape.training(n, n, n, frozen=True) for n in both)
        warmup = own["warmup_fraction"] * sum(self.shape.training(n, n, n, frozen=True) for n in pool)
        return float(own["epochs"] * (gradients + warmup))

    def embedding(self) -> float:
        """What chooses by embeddings: every example once through the embedding model."""
        return self.embedded(self.rows.pool)

    def goal_embedding(self) -> float:
        """Neighbours of the goal: every example and every row of the goal once through the embedding model."""
        return self.embedded((*self.rows.pool, *self.rows.goal))

    def embedded(self, rows: Sequence[Mapping[str, str]]) -> float:
        """Return the operations of embedding rows, each on its own."""
        own = self.settings.embed
        prompt = Prompt.from_config(own["prompt"])
        texts = [prompt.query(row) + own["output"].replace("{output}", prompt.field(row, "output")) for row in rows]
        ids = self.embedder_tokenizer(texts, truncation=True, max_length=own["max_tokens"])["input_ids"]
        bare = dataclasses.replace(self.embedder, output=0)
        return self.read(np.array([len(row) for row in ids], dtype=np.float64), shape=bare)

    def finetune(self) -> float:
        """One training run on a subset, for comparison: examples of the pool's mean length, without padding."""
        own = self.settings.finetune
        lengths = self.queries(self.rows.pool, own["prompt"]) + self.answers(self.rows.pool, own["prompt"]) + 1
        n = own["epochs"] * own["n_examples"]
        if own["max_steps"] is not None:
            n = min(n, own["max_steps"] * own["batch_size"] * own["accumulation"])
        mean = sum(self.shape.training(x, x, x, frozen=own["method"] != "full") for x in lengths) / len(lengths)
        return float(n * mean)


COUNTS: Mapping[str, Callable[[Counter], float]] = {
    "golden_score": Counter.golden_score,
    "utility": Counter.utility,
    "perplexity": Counter.perplexity,
    "ifd": Counter.ifd,
    "selectit": Counter.selectit,
    "less": Counter.less,
    "embedding": Counter.embedding,
    "goal_embedding": Counter.goal_embedding,
    "finetune": Counter.finetune,
}
if uncounted := set(COSTS) - {NOTHING, *COUNTS}:
    raise ValueError(f"scripts.head_to_head.count_selection: no count of {', '.join(sorted(uncounted))}")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", required=True, help="instruction rows to choose from (JSON lines)")
    parser.add_argument("--reference", help="the query set, in the same form")
    parser.add_argument("--targets", required=True, help="rows whose answers DELIFT predicts")
    parser.add_argument("--goal", required=True, help="all rows for which is chosen")
    parser.add_argument("--model", required=True, help="folder of the language model")
    parser.add_argument("--embedder", required=True, help="folder of the embedding model")
    parser.add_argument("--settings", required=True, help="JSON: the fields of CountSettings")
    parser.add_argument("--operations-out", required=True, help="CSV: " + ", ".join(OPERATION_COLUMNS))
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Count and write."""
    args = parse_args(argv)
    settings = parse_settings(CountSettings, args.settings)
    from scripts.lm.load import load_tokenizer

    rows = Rows(
        *(
            read_examples(path, "instruction") if path else []
            for path in (args.pool, args.reference, args.targets, args.goal)
        )
    )
    model, embedder = ((shape_of(path), load_tokenizer(path)) for path in (args.model, args.embedder))
    counter = Counter(rows, settings, model, embedder)
    left_out = {name for name in ("selectit", "less") if getattr(settings, name) is None}
    found = [(name, f"{round(count(counter))}") for name, count in COUNTS.items() if name not in left_out]
    write_csv(args.operations_out, [dict(zip(OPERATION_COLUMNS, row)) for row in found], OPERATION_COLUMNS)


if __name__ == "__main__":
    run_step(main)
