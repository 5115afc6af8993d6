"""Measure answers of one dataset pair and model: overlap with the reference, similarity, the judge's grade.

Per answer: exact match, ROUGE-1 and ROUGE-L (F1), BLEU, cosine of embeddings ("BGE"), BERTScore (F1), grade from 1 to 5
("LAJ"), likelihood of the reference. An answer counts as known where the cosine or another measure reaches a threshold.
Of grades their distribution is measured too: the share of answers nearest to each whole grade. Measures that take a
model of their own are taken by jobs of their own (`scripts.delift.comparison.KINDS`).
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import math
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_json, read_jsonl, write_jsonl
from scripts.common.metrics import metric_row, reason_row, write_metrics
from scripts.common.settings import check_choice
from scripts.common.sizes import named_percent
from scripts.common.step_parser import StepParser
from scripts.data.schemas import read_examples
from scripts.delift.comparison import ANSWERS, GRADES, KINDS, LIKELIHOOD, setting_of
from scripts.delift.judge_prompts import GRADE
from scripts.delift.settings_learn import ScoreSettings
from scripts.judging.backend import make_judge
from scripts.judging.judge import Item, judge_items, verdicts_of
from scripts.lm.prompts import joined_instruction

logger = logging.getLogger(__name__)

UNSEEN = KINDS["words"]
"""Measures that know words only: an equal answer agrees wholly even where they see no word in it (an empty one)."""
KEY = ("learning", "method", "percent", "seed", "id")
UNGRADED = "the judge gave no readable grade, or there was no reference answer to compare with"


@dataclasses.dataclass(frozen=True)
class Texts:
    """Equal questions answered equally are measured once: the distinct ones, and the place of each answer in them."""

    items: Sequence[Item]
    places: Sequence[int]


def distinct(items: Sequence[Item]) -> Texts:
    """Return the items without repetition, and where each of the given ones stands among them."""
    known: dict[Item, int] = {}
    places = [known.setdefault(item, len(known)) for item in items]
    return Texts(list(known), places)


def measure(
    items: Sequence[Item], settings: ScoreSettings, embedder: Mapping[str, Any]
) -> dict[str, list[float | None]]:
    """Return the value of each measure for each item; None where the judge gave no readable grade.

    embedder: keywords of `load_model`; `device` and `threads` serve a local judge too.
    """
    from scripts.judging.reference import exact_match, rouge
    from scripts.lm.text_metrics import bert_score, bleu, cosine_to_reference

    answers, references = [item.answer for item in items], [item.reference for item in items]
    equal = exact_match(answers, references)
    overlap = rouge(answers, references)
    found: dict[str, list[float | None]] = {
        "exact_match": [float(value) for value in equal],
        "rouge_1": overlap["rouge1"],
        "rouge_l": overlap["rougeL"],
    }
    if "bleu" in settings.measures:
        found["bleu"] = bleu(answers, references)
    if {"bge_cosine", "bert_score"} & set(settings.measures):
        from scripts.lm.load import load_model

        loaded = load_model(**embedder)
        sizes = {"max_tokens": settings.embed.max_tokens, "batch_tokens": settings.embed.batch_tokens}
        pooling = settings.embed.pooling
        if "bge_cosine" in settings.measures:
            found["bge_cosine"] = cosine_to_reference(loaded, answers, references, pooling=pooling, **sizes)
        if "bert_score" in settings.measures:
            found["bert_score"] = bert_score(loaded, answers, references, **sizes)
        del loaded
    for name in {*UNSEEN, "bge_cosine", "bert_score"} & set(found):
        found[name] = [1.0 if same else value for same, value in zip(equal, found[name])]
    if "judge_score" in settings.measures:
        found["judge_score"] = grades(items, settings, embedder["device"], embedder["threads"])
    return {name: found[name] for name in settings.measures}


def grades(items: Sequence[Item], settings: ScoreSettings, device: str, threads: int) -> list[float | None]:
    """Return the judge's grade of each item; the reference judge grades nothing without a reference answer."""
    judge = make_judge(settings.judge, device=device, threads=threads, grade_template=GRADE)
    verdicts = verdicts_of(settings.judge.backend, items, lambda some: judge_items(judge, some))
    return [None if verdict is None else verdict.value for verdict in verdicts]


def read_answers(folders: Sequence[str], test: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return every answer with its learning, method and percent. Raises `UserError` for answers to other questions."""
    known = {row["id"] for row in test}
    rows: list[dict[str, Any]] = []
    seen = set()
    for folder in folders:
        status = read_json(Path(folder) / "status.json")
        for unit in status["units"]:
            method, _, size = unit.partition("/")
            for row in read_jsonl(Path(folder) / f"{unit}.jsonl"):
                if row["id"] not in known:
                    raise UserError(
                        f"{folder}/{unit}.jsonl: answers '{row['id']}', which --test lacks; answer it again"
                    )
                key = (status["learning"], unit, row["seed"], row["id"])
                if key in seen:
                    raise UserError(f"{folder}/{unit}.jsonl: a second answer to '{row['id']}'; give each unit once")
                seen.add(key)
                rows.append({"learning": status["learning"], "method": method, "percent": named_percent(size), **row})
    return rows


def scored(
    rows: Sequence[Mapping[str, Any]],
    test: Sequence[Mapping[str, Any]],
    settings: ScoreSettings,
    take: Callable[[Sequence[Item]], Mapping[str, Sequence[float | None]]],
) -> list[dict[str, Any]]:
    """Return the answers with their measures and, where that is asked, whether the model knows the answer.

    take: measures a list of distinct items. Without the likelihood only what tells the answers apart is kept of them.
    """
    by_id = {row["id"]: row for row in test}
    items = [
        Item(joined_instruction(by_id[row["id"]]), row["answer"], by_id[row["id"]]["output"].strip()) for row in rows
    ]
    texts = distinct(items)
    values = take(texts.items)
    logger.info("%d answers, %d of them distinct", len(items), len(texts.items))
    done = []
    for row, place in zip(rows, texts.places):
        measures = {name: None if column[place] is None else float(column[place]) for name, column in values.items()}
        kept = dict(row) if settings.likelihood else {key: row[key] for key in KEY}
        if settings.known:
            value = measures[settings.known.measure]
            kept["known"] = value is not None and value >= settings.known.threshold
        done.append({**kept, **measures})
    return done


def nearest_grade(value: float) -> int:
    """Return the whole grade that a grade between 1 and 5 is nearest to; halves go up."""
    return min(max(int(value + 0.5), GRADES[0]), GRADES[-1])


def means(members: Sequence[Mapping[str, Any]], settings: ScoreSettings) -> list[tuple[str, float, int]]:
    """Return (metric, mean over answers, answers) of one subset and seed; the likelihood is a mean over tokens."""
    values: list[tuple[str, float, int]] = []
    for name in settings.measures:
        graded = [member[name] for member in members if member[name] is not None]
        if graded:
            values.append((name, math.fsum(graded) / len(graded), len(graded)))
            if name == "judge_score":
                near = [nearest_grade(value) for value in graded]
                values += [(f"share_of_grade_{grade}", near.count(grade) / len(near), len(near)) for grade in GRADES]
    if settings.known:
        values.append(("known_share", sum(member["known"] for member in members) / len(members), len(members)))
    n_tokens = sum(member["n_tokens"] for member in members) if settings.likelihood else 0
    if n_tokens:
        values.append((LIKELIHOOD, math.fsum(member["loglik_nats"] for member in members) / n_tokens, n_tokens))
    return values


def measured_rows(
    rows: Sequence[Mapping[str, Any]], settings: ScoreSettings, paper: str, pair: str, model: str
) -> list[dict[str, Any]]:
    """Return the means over the test set in the long schema, and a reason for each subset that has no grade at all."""
    groups: dict[tuple[str, str, int], dict[int, list[Mapping[str, Any]]]] = {}
    for row in rows:
        seeds = groups.setdefault((row["learning"], row["method"], row["percent"]), {})
        seeds.setdefault(row["seed"], []).append(row)
    lines = []
    for (learning, method, percent), seeds in groups.items():
        setting, found = setting_of(pair, learning, percent), set()
        for seed, members in seeds.items():
            for name, value, n in means(members, settings):
                lines.append(metric_row(paper, ANSWERS, setting, model, method, seed, name, value, n))
                found.add(name)
        if "judge_score" in set(settings.measures) - found:
            about = {"setting": setting, "model": model, "method": method, "metric": "judge_score"}
            lines.append(reason_row(paper, ANSWERS, UNGRADED, **about))
    return lines


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--answers", nargs="+", required=True, help="folders of evaluate_subsets")
    parser.add_argument("--test", required=True, help="JSONL, schema instruction")
    parser.add_argument("--paper", required=True, help="for the long schema")
    parser.add_argument("--pair", required=True, help="name of the dataset pair")
    parser.add_argument("--model-name", required=True, help="name of the model that answered")
    parser.add_argument("--embedder", help="folder or hub id of the embedding model, for measures that take it")
    parser.add_argument("--embedder-family", required=True, help="causal, encoder or encoder_decoder")
    parser.add_argument("--dtype", required=True)
    parser.add_argument("--device", required=True, help="of the embedding model and of a local judge")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_settings(ScoreSettings)
    parser.add_argument("--scored-out", required=True, help="JSONL: every answer with its measures")
    parser.add_argument("--measured-out", required=True, help="CSV in the long schema")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and summarise."""
    args = parse_args(argv)
    settings: ScoreSettings = args.settings
    if settings.known:
        check_choice("--settings.known.measure", settings.known.measure, settings.measures)
    if set(KINDS["similarity"]) & set(settings.measures) and not args.embedder:
        raise UserError(f"--embedder: {', '.join(settings.measures)}: needed for these measures; give the model")
    logging.getLogger("absl").setLevel(logging.WARNING)  # else ROUGE names its tokenizer for every batch
    embedder = {
        "source": args.embedder,
        "family": args.embedder_family,
        "dtype": args.dtype,
        "device": args.device,
        "threads": args.threads,
    }
    test = read_examples(args.test, "instruction")
    rows = scored(read_answers(args.answers, test), test, settings, lambda items: measure(items, settings, embedder))
    write_jsonl(args.scored_out, rows)
    write_metrics(args.measured_out, measured_rows(rows, settings, args.paper, args.pair, args.model_name))


if __name__ == "__main__":
    run_step(main)
