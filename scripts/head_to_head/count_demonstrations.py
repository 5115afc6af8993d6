"""Count the operations of each way to show a model demonstrations, by the one formula of `scripts.lm.flops`.

Three parts: training (MEND's distiller once for all tasks, DDG's generator for each task), preparing (once for a task:
reading, distilling or writing a set of demonstrations) and asking one question behind what was prepared and kept.
Lengths of demonstrations are those that the evaluations measured; questions and texts count by their mean length,
without padding.
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_csv, write_csv
from scripts.common.settings import parse_settings
from scripts.data.schemas import read_examples
from scripts.head_to_head.columns import CONTEXT_COLUMNS, OPERATION_COLUMNS, PROMPT_COLUMNS
from scripts.head_to_head.comparison import PARTS, vectors_of
from scripts.lm.flops import ModelShape, shape_of
from scripts.lm.prompts import plain_ids

MARKERS = 2  # tokens around a text: the generator's class and end, the encoder's first and last, label and line break


@dataclasses.dataclass(frozen=True)
class CountSettings:
    """What decides how much is read, from the papers' settings.

    after_input: text between question and answer. sets: of each method with sets of texts how they are made: by,
    select, variant of `ddg.methods`. retrieval: {method: bm25 or knn}. dpc: texts of each class in a set.
    generator: of DDG's two stages steps, batch_size and the same-named keys of `ddg.matching`, the learner's
    batch_size as learner_batch, over_sample. distiller: of each training of MEND's distiller, in their order, steps,
    batch_size, accumulation, n_demonstrations, n_vectors, queries, kl_weight.
    """

    after_input: str
    sets: Mapping[str, Mapping[str, Any]]
    retrieval: Mapping[str, str]
    dpc: int
    generator: Mapping[str, Any]
    distiller: Sequence[Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class Shapes:
    """Of the model that is asked, MEND's distiller, DDG's generator, the encoder that compares texts."""

    asked: ModelShape
    distiller: ModelShape
    generator: ModelShape
    encoder: ModelShape


@dataclasses.dataclass(frozen=True)
class Lengths:
    """Mean tokens. question: up to the answer; options: of all answers together; text: of one with its markers; shown:
    of a set of each method. n_options: answers to choose from; n_pool: texts to retrieve from.
    """

    question: float
    options: float
    n_options: int
    text: float
    n_pool: int
    shown: Mapping[str, float]


class Counter:
    """Counts the parts of every method."""

    def __init__(self, shapes: Shapes, lengths: Lengths, settings: CountSettings) -> None:
        self.shapes, self.lengths, self.settings = shapes, lengths, settings

    def all(self) -> dict[str, dict[str, float]]:
        """Return {method: {part: operations}}."""
        found = {"zero_shot": self.parts(0, 0, self.asking(0))}
        for name in self.settings.retrieval:
            found[name] = self.retrieved(name)
        for name in self.settings.sets:
            training, making = self.made(name)
            tokens = self.lengths.shown[name]
            found[name] = self.parts(
                training, making + self.shapes.asked.forward(tokens, tokens, 0), self.asking(tokens)
            )
            vectors = self.settings.distiller[-1]["n_vectors"]
            distilling = self.shapes.distiller.forward(tokens + vectors, tokens + vectors, 0)
            distilling += self.shapes.asked.forward(vectors, vectors, 0)
            found[vectors_of(name)] = self.parts(
                training + self.distiller_training(), making + distilling, self.asking(vectors)
            )
        return found

    @staticmethod
    def parts(*operations: float) -> dict[str, float]:
        """Return the operations of training, preparing and asking by these names."""
        return dict(zip(PARTS, operations))

    def asking(self, before: float) -> float:
        """Return the operations of one question behind `before` tokens that are kept; options share their question."""
        read = self.lengths.question + self.lengths.options - self.lengths.n_options
        return self.shapes.asked.forward(read, before + read, self.lengths.options)

    def reading(self, n: float) -> float:
        """Return the operations of reading `n` texts with the encoder."""
        text = self.lengths.text
        return n * dataclasses.replace(self.shapes.encoder, output=0).forward(text, text, 0)

    def retrieved(self, name: str) -> dict[str, float]:
        """Return the parts of retrieval: the demonstrations of each question are its own and read for it alone."""
        tokens = self.lengths.shown[name]
        embeds = self.settings.retrieval[name] == "knn"
        asking = self.shapes.asked.forward(tokens, tokens, 0) + self.asking(tokens) + (self.reading(1) if embeds else 0)
        return self.parts(0, self.reading(self.lengths.n_pool) if embeds else 0, asking)

    def made(self, name: str) -> tuple[float, float]:
        """Return (training, making) of a method's sets: drawn, chosen by embeddings, or written."""
        row = self.settings.sets[name]
        if row["by"] == "generator":
            return self.generator_training(matched=row["variant"] is not None), self.writing()
        if row["by"] == "coreset":
            return 0, 0 if row["select"] == "random" else self.reading(self.lengths.n_pool)
        raise UserError(f"--settings: sets made by '{row['by']}' cannot be counted; leave '{name}' out")

    def writing(self) -> float:
        """Return the operations of writing one set: more texts than are kept, which the encoder reads and clusters."""
        own, text = self.settings.generator, self.lengths.text
        n = own["over_sample"] * self.settings.dpc * self.lengths.n_options
        return n * self.shapes.generator.forward(text, text, text) + self.reading(n)

    def generator_training(self, *, matched: bool) -> float:
        """Return the operations of DDG's stage A, and of its gradient matching (stage B) if the method has it."""
        own, text, classes = self.settings.generator, self.lengths.text, self.lengths.n_options
        learning = self.shapes.generator.training(text, text, text, frozen=False)
        first = own["steps"] * own["batch_size"] * learning
        if not matched:
            return first
        steps = own["outer_loops"] * own["inner_steps"]
        matching = (
            steps
            * classes
            * (own["synthetic_per_class"] * learning + self.reading(own["synthetic_per_class"] + own["real_per_class"]))
        )
        speaking = steps * own["lm_batch_size"] * learning if own["lm_weight"] else 0
        encoder = dataclasses.replace(self.shapes.encoder, output=0)
        updates = own["outer_loops"] * (own["inner_steps"] - 1) * own["learner_steps"] * own["learner_batch"]
        learner = updates * encoder.training(text, text, 0, frozen=False)
        drawn = steps * classes * own["synthetic_per_class"]  # every step has texts of its own
        seen = self.reading(self.lengths.n_pool) if own["representative"] else 0  # to find representative real texts
        drawing = drawn * self.shapes.generator.forward(text, text, text) + (
            self.reading(drawn) if own["clusters"] else 0
        )
        return first + matching + speaking + learner + seen + drawing

    def distiller_training(self) -> float:
        """Return the operations of training MEND's distiller, the language model's included."""
        total = 0.0
        question = self.lengths.question + 1  # with the answer
        for own in self.settings.distiller:
            shown, vectors, asked = own["n_demonstrations"] * self.lengths.text, own["n_vectors"], own["queries"]
            step = self.shapes.distiller.training(shown + vectors, shown + vectors, 0, frozen=False)
            step += self.shapes.asked.training(vectors + asked * question, vectors + question, asked, frozen=True)
            if own["kl_weight"]:
                step += self.shapes.asked.forward(shown + asked * question, shown + question, asked)
            total += own["steps"] * own["batch_size"] * own["accumulation"] * step
        return total


def measured_lengths(prompted: Sequence[Mapping[str, str]], retrieved: Sequence[Mapping[str, str]]) -> dict[str, float]:
    """Return the mean tokens of demonstrations before a question, by method, as the evaluations wrote them."""
    found: dict[str, list[float]] = {}
    for row in prompted:
        if row["method"] == "prompt" and row["metric"] == "accuracy":
            found.setdefault(row["task"], []).append(float(row["prefix_tokens"]))
    for row in retrieved:
        found.setdefault(row["method"], []).append(float(row["prefix_tokens"]))
    return {name: sum(values) / len(values) for name, values in found.items()}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompted", required=True, help="CSV of MEND's evaluation")
    parser.add_argument("--retrieved", required=True, help="CSV of DDG's evaluation in context")
    parser.add_argument("--examples", required=True, help="training rows of the task")
    parser.add_argument("--test", required=True, help="test rows of the task")
    for name, about in (("model", "that is asked"), ("distiller", "MEND's"), ("generator", "DDG's"), ("encoder", "")):
        parser.add_argument(f"--{name}", required=True, help=f"folder of the {name} {about}".strip())
    parser.add_argument("--settings", required=True, help="JSON: the fields of CountSettings")
    parser.add_argument("--operations-out", required=True, help="CSV: " + ", ".join(OPERATION_COLUMNS))
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Count and write."""
    args = parse_args(argv)
    settings = parse_settings(CountSettings, args.settings)
    from scripts.lm.load import load_tokenizer

    tokenizer = load_tokenizer(args.model)
    test, examples = (read_examples(path, "classification") for path in (args.test, args.examples))
    shown = measured_lengths(read_csv(args.prompted, PROMPT_COLUMNS), read_csv(args.retrieved, CONTEXT_COLUMNS))
    options = [len(plain_ids(tokenizer, option)) for option in test[0]["options"]]
    lengths = Lengths(
        question=sum(len(plain_ids(tokenizer, row["input"] + settings.after_input)) for row in test) / len(test),
        options=sum(options),
        n_options=len(options),
        text=sum(len(plain_ids(tokenizer, row["input"])) for row in examples) / len(examples) + MARKERS,
        n_pool=len(examples),
        shown=shown,
    )
    shapes = Shapes(*(shape_of(path) for path in (args.model, args.distiller, args.generator, args.encoder)))
    found = [
        (f"{method}/{part}", f"{round(flops)}")
        for method, parts in Counter(shapes, lengths, settings).all().items()
        for part, flops in parts.items()
    ]
    write_csv(args.operations_out, [dict(zip(OPERATION_COLUMNS, row)) for row in found], OPERATION_COLUMNS)


if __name__ == "__main__":
    run_step(main)
