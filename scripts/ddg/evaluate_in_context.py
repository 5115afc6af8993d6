"""Evaluation B: real, distilled, retrieved or self-written texts as demonstrations in a prompt (LongICLBench).

A protocol is a wording (config/prompts/ddg), an order of the demonstrations and its scorers. order `rounds`: round r
shows r texts of every class, one of each in turn; `shuffled`: the same texts in a random order (DiLM's own evaluation).
Scorers: generate (the likeliest text, read back and compared with the label), labels (the likeliest whole label),
first_token (DiLM: the likeliest first token). Round 0 is the prompt without demonstrations.
Retrieval chooses as many demonstrations for each query on its own, the nearest last; self-written ones are the asked
model's own, made anew for each seed and draw.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Sequence, get_args

from scripts.common.errors import UserError, did_you_mean, run_step
from scripts.common.files import write_csv, write_json, write_jsonl
from scripts.common.progress import Progress
from scripts.common.seeding import derive_seed, generator
from scripts.common.settings import check_choice, named_values
from scripts.common.step_parser import StepParser
from scripts.data.label_names import check_label_names
from scripts.ddg.distilled import TextSet, read_set, set_path
from scripts.ddg.intervals import wilson
from scripts.ddg.prompting import Prompt, read_prompt
from scripts.ddg.rounds import read_n_queries, select_queries, select_rounds
from scripts.ddg.run_columns import CONTEXT_COLUMNS, ZERO_SHOT
from scripts.ddg.settings_sets import Retriever
from scripts.ddg.settings_steps import InContextSettings, Part, WritingSettings
from scripts.ddg.texts import Task, read_task
from scripts.lm.flags import add_model_flags, model_options

if TYPE_CHECKING:
    import numpy as np

    from scripts.ddg.in_context import Prefix, Reader

logger = logging.getLogger(__name__)

RETRIEVERS: tuple[str, ...] = get_args(Retriever)


@dataclasses.dataclass(frozen=True)
class Protocol:
    """A wording with its order and scorers."""

    name: str
    prompt: Prompt
    order: str
    scorers: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Arm:
    """Demonstrations to evaluate: a method, and which of its sets."""

    method: str
    seed: int
    draw: int


class Evaluation:
    """Asks the chosen queries behind any demonstrations and keeps accuracies and answers."""

    def __init__(self, reader: Reader, test: Task, queries: Sequence[int], settings: InContextSettings) -> None:
        self.reader = reader
        self.settings = settings
        self.columns, self.names = test.columns, test.label_names
        self.texts = [test.texts[row] for row in queries]
        self.right = [test.labels[row] for row in queries]
        self.rows: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []

    def demonstrations(self, protocol: Protocol, given: TextSet, chosen: Sequence[int]) -> str:
        """Return a prompt's beginning: instruction and the chosen demonstrations."""
        shown = [
            protocol.prompt.shown(given.columns, given.texts[row], self.names[given.labels[row]]) for row in chosen
        ]
        return protocol.prompt.head(self.names, self.settings.instruct) + "".join(shown)

    def evaluate_set(self, protocol: Protocol, arm: Arm, given: TextSet, rounds: Sequence[int]) -> None:
        """Evaluate the rounds of one set, each going on from the one before."""
        prefix: Prefix | None = None
        for number in sorted(rounds):
            chosen = select_rounds(given.labels, number)
            if protocol.order == "shuffled":
                order = generator(arm.seed, "prompt order", arm.method, arm.draw, number).permutation(len(chosen))
                chosen = [chosen[place] for place in order]
            prefix = self.reader.extend(self.demonstrations(protocol, given, chosen), prefix)
            rows = range(len(self.texts))
            for scorer in protocol.scorers:
                found = self.answer(protocol.prompt, scorer, prefix, rows)
                self.keep(protocol, scorer, arm, number, found, len(prefix.ids))

    def evaluate_retrieval(self, protocol: Protocol, arm: Arm, pool: Task, ranked: Sequence[Sequence[int]]) -> None:
        """Evaluate demonstrations retrieved for each query: ranked rows of the pool, the nearest first.

        A query is asked with every scorer before the next one's demonstrations run: one cache is held at a time.
        """
        given = TextSet(pool.columns, pool.texts, pool.labels)
        for number in self.settings.retrieval_rounds:
            n_shown, n_tokens = number * len(self.names), 0
            found: dict[str, list[str]] = {scorer: [] for scorer in protocol.scorers}
            for row, nearest in enumerate(ranked):
                chosen = list(reversed(nearest[:n_shown]))
                prefix = self.reader.extend(self.demonstrations(protocol, given, chosen))
                for scorer, answers in found.items():
                    answers += self.answer(protocol.prompt, scorer, prefix, [row])
                n_tokens += len(prefix.ids)
                del prefix  # or it would live on beside the next one
                self.reader.forget()
            for scorer, answers in found.items():
                self.keep(protocol, scorer, arm, number, answers, n_tokens / len(ranked))

    def answer(self, prompt: Prompt, scorer: str, prefix: Prefix, rows: Sequence[int]) -> list[str]:
        """Return one label (or, written freely, any text) for each of the queries `rows`."""
        if scorer == "generate":
            queries = [prompt.asked(self.columns, self.texts[row]) for row in rows]
            written = self.reader.write(prefix, queries, prompt.max_new_tokens)
            return [prompt.read(text, self.columns, self.texts[row]) for text, row in zip(written, rows)]
        lead = prompt.answer
        bare = [prompt.unanswered(self.columns, self.texts[row]) for row in rows]
        if scorer == "labels":
            scores = self.reader.label_scores(prefix, bare, lead, self.names, self.settings.label_norm)
        else:
            scores = self.reader.first_token_scores(prefix, bare, lead, self.names)
        return [prompt.plain(self.names[place]) for place in scores.argmax(axis=1)]

    def keep(
        self,
        protocol: Protocol,
        scorer: str,
        arm: Arm,
        number: int,
        found: Sequence[str],
        prefix_tokens: float,
    ) -> None:
        """Keep one accuracy with its interval, and the answers it comes from; prefix_tokens: of a query, on average."""
        right = [protocol.prompt.plain(self.names[label]) for label in self.right]
        n_right = sum(answer == label for answer, label in zip(found, right))
        low, high = wilson(n_right, len(right))
        key = (protocol.name, scorer, arm.method, number, arm.seed, arm.draw)
        values = (f"{n_right / len(right):.9g}", f"{low:.9g}", f"{high:.9g}", len(right), f"{prefix_tokens:.9g}")
        self.rows.append(dict(zip(CONTEXT_COLUMNS, (*key, *values))))
        self.answers.append({**dict(zip(CONTEXT_COLUMNS, key)), "answers": list(found), "right": right})


def retrieve(by: str, pool: Task, texts: Sequence[Sequence[str]], k: int, args: argparse.Namespace) -> list[list[int]]:
    """Return, for each query, the places of the `k` nearest texts of the pool, the nearest first."""
    if by == "bm25":
        from scripts.selection.bm25 import BM25

        index = BM25([" ".join(text) for text in pool.texts])
        return [index.nearest(" ".join(text), k) for text in texts]
    import numpy as np

    from scripts.ddg.learners import embeddings_of, load_learner
    from scripts.ddg.settings_steps import Reading

    if not args.encoder:
        raise UserError("--encoder: missing; nearest neighbours (knn) need an encoder")
    encoder = load_learner(args.encoder, pool.n_classes, "first", device=args.device, threads=args.threads, seed=0)
    reading = Reading(pooling="first", max_tokens=encoder.window, batch_size=256)

    def directions(given: Sequence[Sequence[str]]) -> np.ndarray:
        points = np.asarray(embeddings_of(encoder, given, reading), dtype=np.float64)
        return points / np.linalg.norm(points, axis=1, keepdims=True)

    asked, shown = directions(texts), directions(pool.texts)
    return [np.argsort(-(shown @ one), kind="stable")[:k].tolist() for one in asked]  # a row of likeness at a time


@contextlib.contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Add the time of what runs inside to a method's seconds."""
    begin = time.perf_counter()
    yield
    seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - begin


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--sets", nargs="*", default=[], help="METHOD=FOLDER of sets, seed_{n}/dpc_{d}/draw_{k}.jsonl")
    parser.add_argument("--retrieve", nargs="*", default=[], help="METHOD=bm25 or METHOD=knn")
    parser.add_argument("--examples", help="training rows to retrieve from")
    parser.add_argument("--encoder", help="encoder whose embeddings are compared; only for knn")
    parser.add_argument("--self-write", nargs="*", default=[], help="METHOD: texts and labels of the model's own")
    parser.add_settings(WritingSettings, flag="--writing", only_with="--self-write")
    parser.add_argument("--test", required=True, help="test rows, canonical classification JSON lines")
    parser.add_argument("--prompts", required=True, nargs="+", help="PROTOCOL=FILE, e.g. one of config/prompts/ddg")
    add_model_flags(parser)
    parser.add_settings(InContextSettings)
    parser.add_argument("--seeds", required=True, nargs="+", type=int, help="seeds of the sets to read")
    parser.add_argument("--round", required=True, nargs="+", type=int, help="texts of each class shown, e.g. 1 2 3 4 5")
    parser.add_argument(
        "--test-number", "--test_number", required=True, type=str, help="queries asked, or full: all test rows"
    )
    parser.add_argument("--runs-out", required=True, help="CSV: one row a protocol, scorer, set and round")
    parser.add_argument("--answers-out", required=True, help="JSON lines: the answers behind each row")
    parser.add_argument("--run-out", help="JSON: seconds of each method, retrieval included")
    return parser.parse_args(argv)


def read_protocols(given: Sequence[str], settings: InContextSettings) -> list[Protocol]:
    """Return the protocols that have a wording. Raises `UserError` for one that the settings do not know."""
    files = named_values("--prompts", given)
    for name in files:
        if name not in settings.orders:
            hint = did_you_mean(name, list(settings.orders))
            raise UserError(
                f"--prompts: '{name}' is no protocol of the settings{hint}; use {', '.join(settings.orders)}"
            )
    return [
        Protocol(name, read_prompt(files[name]), settings.orders[name], tuple(settings.scorers[name])) for name in files
    ]


def read_arms(
    sets: dict[str, str], settings: InContextSettings, args: argparse.Namespace, test: Task
) -> list[tuple[Arm, TextSet]]:
    """Return the sets to evaluate.

    Raises `UserError` for a round that asks for more texts than the sets hold, and for sets of other classes.
    """
    if args.round and max(args.round) > settings.dpc:
        raise UserError(f"--round {max(args.round)}: the sets hold {settings.dpc} texts a class; take a larger dpc")
    found = []
    for method, folder in sets.items():
        check_label_names(folder, test.label_names, args.test)
        for seed in args.seeds:
            for draw in range(settings.draws):
                path = set_path(Path(folder), seed, settings.dpc, draw)
                found.append((Arm(method, seed, draw), read_set(path, settings.text_columns, test.n_classes)))
    return found


def self_written_arms(
    method: str, evaluation: Evaluation, protocol: Protocol, args: argparse.Namespace
) -> list[tuple[Arm, TextSet]]:
    """Return what the model writes for itself in a protocol's wording, for every seed and draw."""
    from scripts.ddg.self_written import write_demonstrations

    found = []
    for seed in args.seeds:
        for draw in range(evaluation.settings.draws):
            own = derive_seed(seed, method, draw)
            given = write_demonstrations(
                evaluation.reader, protocol.prompt, evaluation.columns, evaluation.names, args.writing, own
            )
            found.append((Arm(method, seed, draw), given))
    return found


def read_retrievers(args: argparse.Namespace) -> dict[str, str]:
    """Return {method: how it retrieves}. Raises `UserError` for an unknown way, or without rows to retrieve from."""
    retrievers = named_values("--retrieve", args.retrieve)
    for name, by in retrievers.items():
        check_choice(f"--retrieve {name}", by, RETRIEVERS)
    if retrievers and not args.examples:
        raise UserError("--examples: missing; retrieval needs the training rows")
    return retrievers


def evaluate_protocol(
    evaluation: Evaluation,
    protocol: Protocol,
    arms: Sequence[tuple[Arm, TextSet]],
    retrievers: Mapping[str, str],
    pool: Task | None,
    args: argparse.Namespace,
    seconds: dict[str, float],
    progress: Progress,
) -> None:
    """Evaluate what a protocol is asked about; pool: the rows to retrieve from, given if there are retrievers.

    The seconds of each method are added to `seconds`; `progress` counts the sets.
    """
    settings = evaluation.settings
    part: Part | None = settings.only.get(protocol.name)
    rounds = [number for number in args.round if part is None or number in part.rounds]

    def wanted(method: str) -> bool:
        return part is None or method in part.methods

    if wanted(ZERO_SHOT):
        with timed(seconds, ZERO_SHOT):
            nothing = TextSet(tuple(evaluation.columns), (), ())
            evaluation.evaluate_set(protocol, Arm(ZERO_SHOT, args.seeds[0], 0), nothing, [0])
    for arm, given in arms:
        if wanted(arm.method):
            with timed(seconds, arm.method):
                evaluation.evaluate_set(protocol, arm, given, rounds)
        progress.advance()
    for name in filter(wanted, args.self_write):
        with timed(seconds, name):
            for arm, given in self_written_arms(name, evaluation, protocol, args):
                evaluation.evaluate_set(protocol, arm, given, rounds)
    for name in filter(wanted, retrievers):
        most = max(settings.retrieval_rounds, default=0) * len(evaluation.names)
        with timed(seconds, name):
            ranked = retrieve(retrievers[name], pool, evaluation.texts, most, args)
            evaluation.evaluate_retrieval(protocol, Arm(name, args.seeds[0], 0), pool, ranked)


def main(argv: Sequence[str] | None = None) -> None:
    """Evaluate all demonstrations."""
    args = parse_args(argv)
    settings: InContextSettings = args.settings
    test = read_task(args.test, settings.text_columns)
    protocols = read_protocols(args.prompts, settings)
    arms = read_arms(named_values("--sets", args.sets), settings, args, test)
    queries = select_queries(test.labels, settings.turns, read_n_queries(args.test_number))
    retrievers = read_retrievers(args)
    pool = read_task(args.examples, settings.text_columns) if retrievers else None
    if pool is not None and pool.label_names != test.label_names:
        raise UserError(f"{args.examples}: its labels are not those of {args.test}; list them under 'labels' in the "
                        "registry and prepare both alike")  # fmt: skip
    from scripts.ddg.in_context import Reader
    from scripts.lm.load import load_model

    reader = Reader(load_model(**model_options(args)), settings.batch_tokens)
    evaluation = Evaluation(reader, test, queries, settings)
    seconds: dict[str, float] = {}
    with Progress(len(protocols) * len(arms), "sets", parts=10) as progress:
        for protocol in protocols:
            evaluate_protocol(evaluation, protocol, arms, retrievers, pool, args, seconds, progress)
            logger.info("protocol %s: %d queries, %d sets", protocol.name, len(queries), len(arms))
    write_csv(args.runs_out, evaluation.rows, CONTEXT_COLUMNS)
    write_jsonl(args.answers_out, evaluation.answers)
    if args.run_out:
        write_json(args.run_out, {"seconds": seconds})


if __name__ == "__main__":
    run_step(main)
