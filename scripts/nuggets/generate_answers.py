"""Answer AlpacaEval or MT-Bench with the models of several subsets, one per seed (NUGGETS, section 4.2).

A run is `<anchor set>/<method>`; a run of `--untrained` is the model as it is, which has nothing to draw and one seed.
Answers are written in the formats that AlpacaEval (`model_outputs`) and FastChat (`model_answer`) read. A dialogue of
MT-Bench is the fine-tuning prompt repeated: prompt of the first turn, the model's own first answer, a separator, prompt
of the second turn. Where a benchmark has reference answers, their log-likelihood under the model is kept too:
there the earlier turns hold the references, so that all models are asked about the same text.

# DEVIATION: FastChat puts a model's own conversation template around a dialogue; these models know only one prompt.
# DEVIATION: an answer is shortened to what the context window leaves, and so is an earlier answer that would fill it.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_json, to_json, whole_folder, write_json, write_jsonl
from scripts.common.metrics import metric_row, write_metrics
from scripts.common.seeding import derive_seed, seed_all
from scripts.common.step_parser import StepParser
from scripts.data.schemas import read_examples
from scripts.lm.flags import add_model_flags, model_options
from scripts.lm.prompts import Prompt, joined_instruction, prompt_of_flag
from scripts.nuggets.benchmarks import LIKELIHOOD, OVERALL, experiment, question_id
from scripts.nuggets.settings_generate import AnswerSettings

if TYPE_CHECKING:
    from scripts.lm.load import LoadedModel

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Question:
    """A reference answer to be scored: the benchmark's group it counts for, the text before it, and itself."""

    group: str
    query: str
    answer: str


def answer_all(loaded: LoadedModel, prompts: Sequence[str], settings: AnswerSettings, seed: int) -> list[str]:
    """Return an answer per prompt, stripped. Prompts near the end of the context window get shorter answers.

    All prompts that leave less than `max_new_tokens` share the room of the longest of them, so that an answer does not
    depend on the batch it falls into.
    """
    from scripts.lm.generate import encode_prompts, generate

    rooms = [loaded.window - len(ids) for ids in encode_prompts(loaded, prompts)]
    roomy = [i for i, room in enumerate(rooms) if room >= settings.max_new_tokens]
    tight = [i for i, room in enumerate(rooms) if room < settings.max_new_tokens]
    answers = [""] * len(prompts)
    for name, rows in (("roomy", roomy), ("tight", tight)):
        if not rows:
            continue
        longest = min(settings.max_new_tokens, *(rooms[i] for i in rows))
        if name == "tight":
            logger.warning(
                "%d answers may have only %d tokens: their prompts nearly fill the window", len(rows), longest
            )
        if longest < 1:
            worst = min(rows, key=lambda i: rooms[i])
            raise UserError(
                f"prompt {worst}: fills the model's window of {loaded.window}; use a model with a longer one"
            )
        texts = generate(
            loaded,
            [prompts[i] for i in rows],
            max_new_tokens=longest,
            batch_size=settings.batch_size,
            stop=tuple(settings.stop),
            temperature=settings.temperature,
            seed=derive_seed(seed, name),
        )
        for i, text in zip(rows, texts):
            answers[i] = text.strip()
    return answers


def answer_dialogues(
    loaded: LoadedModel,
    dialogues: Sequence[Mapping[str, Any]],
    prompt: Prompt,
    separator: str,
    settings: AnswerSettings,
    seed: int,
) -> list[list[str]]:
    """Return an answer per turn of each dialogue; a turn is asked with the model's own earlier answers before it."""
    before = [""] * len(dialogues)
    answers: list[list[str]] = [[] for _ in dialogues]
    for turn in range(max(len(row["turns"]) for row in dialogues)):
        rows = [i for i, row in enumerate(dialogues) if turn < len(row["turns"])]
        queries = {i: turn_query(prompt, dialogues[i]["turns"][turn], later=turn > 0) for i in rows}
        texts = answer_all(loaded, [before[i] + queries[i] for i in rows], settings, derive_seed(seed, "turn", turn))
        for i, text in zip(rows, texts):
            answers[i].append(text)
            later = dialogues[i]["turns"][turn + 1 :]
            if later:
                asked = before[i] + queries[i]
                between = prompt.closing(separator)
                room = _room(loaded, asked, between + turn_query(prompt, later[0], later=True), settings)
                before[i] = asked + shorten(loaded, text, room) + between
    return answers


def turn_query(prompt: Prompt, turn: str, *, later: bool) -> str:
    """Return the prompt of one turn of a dialogue, an instruction without input; later: turns stand before it."""
    row = {"instruction": turn, "input": ""}
    return prompt.continued(row) if later else prompt.query(row)


def _room(loaded: LoadedModel, asked: str, following: str, settings: AnswerSettings) -> int:
    """Return how many tokens an earlier answer may have, so that a quarter of the window is left for the next."""
    from scripts.lm.generate import encode_prompts

    reserved = min(settings.max_new_tokens, loaded.window // 4)
    return max(loaded.window - reserved - len(encode_prompts(loaded, [asked + following])[0]) - 2, 0)


def shorten(loaded: LoadedModel, text: str, n_tokens: int) -> str:
    """Return the text, cut at its end to `n_tokens` tokens."""
    ids = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
    if len(ids) <= n_tokens:
        return text
    logger.warning("an earlier answer of %d tokens is cut to %d to leave room for the next", len(ids), n_tokens)
    return loaded.tokenizer.decode(ids[:n_tokens], skip_special_tokens=True)


def single_questions(examples: Sequence[Mapping[str, Any]], prompt: Prompt) -> list[Question]:
    """Return the reference answers of single instructions, where there are any, with the prompt before each."""
    return [Question(row["group"], prompt.query(row), row["reference"]) for row in examples if row["reference"]]


def turn_questions(dialogues: Sequence[Mapping[str, Any]], prompt: Prompt, separator: str) -> list[Question]:
    """Return the reference answers of dialogues, where there are any, with the text that stands before each."""
    turns = []
    for row in dialogues:
        before = ""
        for turn, reference in zip(row["turns"], row["references"]):
            query = before + turn_query(prompt, turn, later=bool(before))
            if reference:
                turns.append(Question(row["category"], query, reference))
            before = query + reference + prompt.closing(separator)
    return turns


def reference_likelihood(
    loaded: LoadedModel, questions: Sequence[Question], batch_tokens: int
) -> list[tuple[str, float, int]]:
    """Return (group, log-likelihood in nats, answer tokens) of each reference that has a token within the window."""
    from scripts.lm.generate import encode_prompts
    from scripts.lm.score import Continuation, Scorer

    queries = encode_prompts(loaded, [question.query for question in questions])
    wholes = encode_prompts(loaded, [question.query + question.answer for question in questions])
    kept, continuations, n_cut = [], [], 0
    for question, query, whole in zip(questions, queries, wholes):
        n_cut += len(whole) > loaded.window
        answer = whole[len(query) : loaded.window]
        if answer:
            kept.append(question.group)
            continuations.append(Continuation(tuple(whole[: len(query)]), tuple(answer)))
    if n_cut:
        logger.warning("%d reference answers are cut at the model's window of %d tokens", n_cut, loaded.window)
    if not continuations:
        return []
    scores = Scorer(loaded.model, batch_tokens=batch_tokens).score(None, continuations)
    return [(g, float(total), int(n)) for g, total, n in zip(kept, scores.logprob_sums, scores.n_tokens)]


def likelihood_rows(
    benchmark: str, run: str, model: str, seed: int, scored: Sequence[tuple[str, float, int]]
) -> list[dict[str, Any]]:
    """Return the mean log-likelihood per answer token of each group and over all, every token weighing the same.

    run: <anchor set>/<method>; model: its name in the long schema, in which the rows are; n counts tokens.
    """
    anchors, method = run.split("/")
    key = ("nuggets", experiment(benchmark, anchors))
    groups = sorted({group for group, _, _ in scored})
    rows = []
    for name, members in [(g, [s for s in scored if s[0] == g]) for g in groups] + [(OVERALL[benchmark], list(scored))]:
        n_tokens = sum(n for _, _, n in members)
        if n_tokens:
            mean = sum(total for _, total, _ in members) / n_tokens
            rows.append(metric_row(*key, name, model, method, seed, LIKELIHOOD, mean, n_tokens))
    return rows


def alpaca_eval_rows(examples: Sequence[Mapping[str, Any]], answers: Sequence[str], name: str) -> list[dict[str, Any]]:
    """Return answers in AlpacaEval's form; an input stands below its instruction, as AlpacaEval has no field for it."""
    return [
        {
            "instruction": joined_instruction(row),
            "output": answer,
            "generator": name,
            "dataset": row["group"],
            "datasplit": "eval",
        }
        for row, answer in zip(examples, answers)
    ]


def fastchat_rows(
    dialogues: Sequence[Mapping[str, Any]], answers: Sequence[Sequence[str]], name: str
) -> list[dict[str, Any]]:
    """Return answers in FastChat's `model_answer` form; ids are hashes and times 0: equal answers are equal bytes."""
    rows = []
    for row, turns in zip(dialogues, answers):
        digest = hashlib.sha256(to_json([name, row["id"], list(turns)]).encode()).hexdigest()
        rows.append(
            {
                "question_id": question_id(row["id"]),
                "answer_id": digest[:22],
                "model_id": name,
                "choices": [{"index": 0, "turns": list(turns)}],
                "tstamp": 0.0,
            }
        )
    return rows


def load_answering_model(args: argparse.Namespace, folder: Path | None) -> LoadedModel:
    """Return the model of one seed: the base model without `folder`, else the weights or adapters in it."""
    from scripts.lm.load import load_model

    options = model_options(args)
    if folder is None:
        return load_model(**options)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; train this seed first")
    if not (folder / "adapter_config.json").is_file():
        return load_model(**{**options, "source": str(folder)})
    from peft import PeftModel

    loaded = load_model(**options)
    merged = PeftModel.from_pretrained(loaded.model, str(folder)).merge_and_unload()
    return dataclasses.replace(loaded, model=merged.eval())


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = StepParser(description=__doc__)
    add_model_flags(parser)
    parser.add_argument("--runs", nargs="+", required=True, help="<anchor set>/<method> of each model")
    parser.add_argument("--models", help="folder of train_model: seed_{n}/ and status.json in a folder per run")
    parser.add_argument("--untrained", nargs="*", default=[], help="the runs that are the model as it is")
    parser.add_argument("--seeds", nargs="+", type=int, required=True, help="seeds of the trained runs")
    parser.add_argument("--model-name", required=True, help="the model's name in the measured values")
    parser.add_argument("--benchmark", required=True, choices=sorted(OVERALL))
    parser.add_argument("--examples", required=True, help="JSONL, schema dialogue for mt_bench, else evaluation")
    parser.add_argument("--turn-separator", required=True, help="text between an answer and the next turn's prompt")
    parser.add_argument("--prompt", required=True, help="JSON: with_input, without_input")
    parser.add_settings(AnswerSettings)
    parser.add_argument(
        "--answers-out",
        required=True,
        help="folder: {benchmark}/seed_{n}.json(l), status.json in a folder per run",
    )
    parser.add_argument("--measured-out", required=True, help="CSV in the long schema: likelihood of the references")
    return parser.parse_args(argv)


class Evaluation:
    """What all runs of a job share: the benchmark, the prompt, how answers are written."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.prompt = prompt_of_flag(args.prompt).of_model(args.model)
        self.settings: AnswerSettings = args.settings
        self.dialogues = args.benchmark == "mt_bench"
        self.examples = read_examples(args.examples, "dialogue" if self.dialogues else "evaluation")
        if self.dialogues:
            self.questions = turn_questions(self.examples, self.prompt, args.turn_separator)
        else:
            self.questions = single_questions(self.examples, self.prompt)

    def answer(self, loaded: LoadedModel, method: str, seed: int) -> list[dict[str, Any]]:
        """Return one model's answers in the form of the benchmark's tool."""
        if self.dialogues:
            separator = self.args.turn_separator
            turns = answer_dialogues(loaded, self.examples, self.prompt, separator, self.settings, seed)
            return fastchat_rows(self.examples, turns, method)
        prompts = [self.prompt.query(row) for row in self.examples]
        return alpaca_eval_rows(self.examples, answer_all(loaded, prompts, self.settings, seed), method)

    def write_run(self, run: str, target: Path) -> list[dict[str, Any]]:
        """Answer the benchmark with every seed's model of one run; return the likelihood of the references."""
        method = run.rpartition("/")[2]
        models = None if run in self.args.untrained else Path(self.args.models) / run
        status = {"status": "done", "reason": "", "method": method, "n_examples": {}}
        if models is not None:
            status = read_json(models / "status.json")
        benchmark, name = self.args.benchmark, self.args.model_name
        write, suffix = (write_jsonl, "jsonl") if self.dialogues else (write_json, "json")
        rows: list[dict[str, Any]] = []
        for seed in self.args.seeds if models else self.args.seeds[:1]:
            answers: list[dict[str, Any]] = []
            if status["status"] == "done":
                seed_all(seed)
                loaded = load_answering_model(self.args, models / f"seed_{seed}" if models else None)
                answers = self.answer(loaded, method, seed)
                scored = reference_likelihood(loaded, self.questions, self.settings.batch_tokens)
                rows += likelihood_rows(benchmark, run, name, seed, scored)
                del loaded
            write(target / benchmark / f"seed_{seed}.{suffix}", answers)
        write_json(target / "status.json", status)
        logger.info("%s: %s", run, status["reason"] or "answered")
        return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Answer the benchmark with every model of every run."""
    args = parse_args(argv)
    wrong = [run for run in args.runs if run.count("/") != 1]
    if wrong:
        raise UserError(f"--runs: '{wrong[0]}' is not of the form anchor_set/method")
    trained = [run for run in args.runs if run not in args.untrained]
    if trained and args.models is None:
        raise UserError(f"--models: '{trained[0]}' is a trained run; give the folder of its models")
    job = Evaluation(args)
    with whole_folder(args.answers_out) as folder:
        rows = [row for run in args.runs for row in job.write_run(run, folder / run)]
        write_metrics(args.measured_out, rows)


if __name__ == "__main__":
    run_step(main)
