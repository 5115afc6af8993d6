"""Judging: win rates, grades and pairwise outcomes against hand-computed values, with a judge that is known."""

from __future__ import annotations

from typing import Sequence

import pytest

from scripts.common.errors import UserError
from scripts.common.step_parser import checked
from scripts.judging.judge import Item, Pair, Verdict, verdicts_of
from scripts.nuggets.benchmarks import question_id
from scripts.nuggets.generate_answers import alpaca_eval_rows, fastchat_rows
from scripts.nuggets.judge_answers import (
    Result,
    Run,
    judge_alpaca_eval,
    judge_mt_bench,
    judge_pairwise,
    order_of,
    summarise,
    text_measures,
    verdict_metrics,
)
from scripts.nuggets.judge_prompts import GRADE, PAIR
from scripts.nuggets.settings_judge import JudgeSettings
from tests.unit.nuggets_eval import DIALOGUES, JUDGE, SINGLES

REFERENCE = checked(JudgeSettings, JUDGE)
BOTH = checked(JudgeSettings, {**JUDGE, "backend": "local"})


class LongerWins:
    """Prefers the longer answer, grades by length."""

    name = "longer"

    def prefer(self, pairs: Sequence[Pair]) -> list[Verdict]:
        sizes = [(len(pair.output_1), len(pair.output_2)) for pair in pairs]
        return [Verdict(1.0 if a > b else 2.0 if b > a else 1.5) for a, b in sizes]

    def grade(self, items: Sequence[Item]) -> list[Verdict]:
        return [Verdict(float(len(item.answer))) for item in items]


class FirstWins(LongerWins):
    """Prefers whatever stands first."""

    def prefer(self, pairs: Sequence[Pair]) -> list[Verdict]:
        return [Verdict(1.0) for _ in pairs]


def single_run(outputs: Sequence[str], name: str = "k/top", seeds: Sequence[int] = (0,)) -> Run:
    return Run(name, {seed: alpaca_eval_rows(SINGLES, outputs, "top") for seed in seeds})


def values(results: Sequence[Result], mode: str) -> dict[tuple[str, str], float]:
    return {(group, metric): value for group, metric, value, _ in summarise(mode, results)}


def test_win_rate_by_group_counts_a_tie_half():
    # Baseline lengths 2 5 2 2: answers of 3 (win), 5 (tie), 1 (loss), 2 (tie).
    results, rows = judge_alpaca_eval(LongerWins(), BOTH, single_run(["w10", "abcde", "w", "ab"]), SINGLES, 0)
    got = values(results, "alpaca_eval")
    assert got["koala", "alpaca_eval_win_rate_percent"] == 75.0
    assert got["vicuna", "alpaca_eval_win_rate_percent"] == 25.0
    assert got["all", "alpaca_eval_win_rate_percent"] == 50.0
    assert got["all", "answer_length_chars"] == 2.75
    assert [row["preference"] for row in rows] == [2.0, 1.5, 1.0, 1.5]
    assert [row["dataset"] for row in rows] == ["koala", "koala", "vicuna", "vicuna"]
    assert rows[1]["instruction"] == "w2\n\nw5"
    assert (rows[0]["generator_1"], rows[0]["generator_2"]) == ("baseline", "k/top/seed_0")


def test_a_judge_that_looks_at_the_place_only_sees_ties_in_both_orders():
    results, _ = judge_alpaca_eval(FirstWins(), BOTH, single_run(["a"] * 4), SINGLES, 0)
    assert values(results, "alpaca_eval")["all", "alpaca_eval_win_rate_percent"] == 50.0


def test_exact_match_and_rouge_by_hand():
    got = text_measures(["w2  w3", "w4 w9", "", "w7"], ["w2 w3", "w4 w5", "w6", ""])
    assert [one.get("exact_match") for one in got] == [1.0, 0.0, 0.0, None]
    # One of two words in common: precision 1/2, recall 1/2.
    assert [one.get("rouge_l") for one in got] == [1.0, 0.5, 0.0, None]
    assert [one["answer_length_chars"] for one in got] == [6, 5, 0, 2]


def test_an_answer_without_latin_letters_can_still_agree():
    assert text_measures(["是 的"], ["是 的"])[0]["rouge_l"] == 1.0


def test_grades_by_category_and_turn_with_the_earlier_turn_shown():
    seen: list[Item] = []

    class Watching(LongerWins):
        def grade(self, items: Sequence[Item]) -> list[Verdict]:
            seen.extend(items)
            return super().grade(items)

    answers = Run("k/top", {3: fastchat_rows(DIALOGUES, [["a", "bbb"], ["cc", "dddd"]], "top")})
    results, rows = judge_mt_bench(Watching(), BOTH, answers, DIALOGUES, 3)
    got = values(results, "mt_bench")
    assert got["writing", "mt_bench_score_1_to_10"] == 2.0
    assert got["math", "mt_bench_score_1_to_10"] == 3.0
    assert got["turn_1", "mt_bench_score_1_to_10"] == 1.5
    assert got["turn_2", "mt_bench_score_1_to_10"] == 3.5
    assert got["overall", "mt_bench_score_1_to_10"] == 2.5
    assert [item.earlier for item in seen] == [(), (("w1", "a"),), (), (("w6", "cc"),)]
    assert [(row["question_id"], row["turn"], row["score"]) for row in rows] == [
        (81, 1, 1.0),
        (81, 2, 3.0),
        (82, 1, 2.0),
        (82, 2, 4.0),
    ]


def test_reference_judge_leaves_out_what_has_no_reference():
    answers = Run("k/top", {0: fastchat_rows(DIALOGUES, [["w3", "w4"], ["w8 w9", "x"]], "top")})
    from scripts.judging.reference import ReferenceJudge

    results, rows = judge_mt_bench(ReferenceJudge(), REFERENCE, answers, DIALOGUES, 0)
    got = values(results, "mt_bench")
    assert len(rows) == 3
    assert got["overall", "n_judged"] == 3
    assert got["math", "mt_bench_score_1_to_10"] == 10.0
    # "w4" of "w4 w5": precision 1, recall 1/2, F1 2/3, grade 1 + 9 * 2/3.
    assert got["writing", "mt_bench_score_1_to_10"] == pytest.approx((10 + 7) / 2)


def test_nothing_to_judge_gives_no_number():
    results = [Result(("all",), None, {"answer_length_chars": 3.0})]
    assert values(results, "alpaca_eval") == {("all", "n_judged"): 0.0, ("all", "answer_length_chars"): 3.0}


def test_verdicts_keep_their_places():
    pairs = [Pair("q", "a", "b", reference) for reference in ("", "r", " ")]
    found = verdicts_of(REFERENCE.backend, pairs, lambda some: [Verdict(2.0) for _ in some])
    assert found == [None, Verdict(2.0), None]


def test_pairwise_shares_by_hand_and_mirrored():
    ours, theirs = single_run(["aaa", "b", "cc", "d"]), single_run(["a", "bbb", "cc", "dd"], "k/full")
    results, rows = judge_pairwise(LongerWins(), BOTH, ours, theirs, SINGLES, 0)
    got = values(results, "pairwise")
    assert got["vs_full", "win_share"] == 0.25
    assert got["vs_full", "tie_share"] == 0.25
    assert got["vs_full", "loss_share"] == 0.5
    assert rows[0]["generator_1"] == "k/full/seed_0"
    mirrored = values(judge_pairwise(LongerWins(), BOTH, theirs, ours, SINGLES, 0)[0], "pairwise")
    assert mirrored["vs_top", "win_share"] == got["vs_full", "loss_share"]
    assert mirrored["vs_top", "loss_share"] == got["vs_full", "win_share"]


def test_a_run_with_one_seed_meets_every_seed_of_the_other():
    base, full = single_run(["aaa", "b", "c", "d"], "k/base"), single_run(["a"] * 4, "k/full", (0, 7))
    results, _ = judge_pairwise(LongerWins(), BOTH, base, full, SINGLES, 7)
    assert values(results, "pairwise")["vs_full", "win_share"] == 0.25


@pytest.mark.parametrize("verdict, outcome", [(2.0, "win"), (1.75, "win"), (1.5, "tie"), (1.25, "loss"), (1.0, "loss")])
def test_two_orders_make_one_outcome(verdict, outcome):
    shares = verdict_metrics("pairwise", [verdict])
    assert {name: share for name, share in shares.items() if share} == {f"{outcome}_share": 1.0}


def test_answers_to_other_questions_are_an_error():
    run = single_run(["a"] * 4)
    with pytest.raises(UserError, match=r"k/top, seed 0: 4 answers for 3 examples"):
        judge_alpaca_eval(LongerWins(), BOTH, run, SINGLES[:3], 0)
    with pytest.raises(UserError, match="answers another question than '1'"):
        judge_alpaca_eval(LongerWins(), BOTH, run, [SINGLES[1], *SINGLES[1:]], 0)
    wrong = Run("k/top", {0: fastchat_rows(DIALOGUES[::-1], [["a", "b"], ["c", "d"]], "top")})
    with pytest.raises(UserError, match="not those of question 81"):
        judge_mt_bench(LongerWins(), BOTH, wrong, DIALOGUES, 0)


def test_a_benchmark_without_baseline_answers_is_an_error():
    rows = [{**row, "baseline_output": ""} for row in SINGLES]
    with pytest.raises(UserError, match="example '0' has no baseline answer"):
        judge_alpaca_eval(LongerWins(), BOTH, single_run(["a"] * 4), rows, 0)


def test_unknown_backend_is_named():
    with pytest.raises(UserError, match=r"--settings.backend: 'opneai' is not allowed \(did you mean 'openai'\?\)"):
        checked(JudgeSettings, {**JUDGE, "backend": "opneai"})


def test_order_follows_the_judge():
    assert order_of(REFERENCE) == "given"
    assert order_of(BOTH) == "both"
    assert order_of(checked(JudgeSettings, {**JUDGE, "backend": "local", "swap": False})) == "random"


@pytest.mark.parametrize(
    "template, text, value",
    [
        (PAIR, "A is wrong. [[B]]", 2.0),
        (PAIR, "Both say the same: [[C]]", 1.5),
        (PAIR, "[[A]] at first sight, but no: [[B]]", 2.0),
        (PAIR, "I cannot tell.", None),
        (GRADE, "Good. Rating: [[7]]", 7.0),
        (GRADE, "Rating: [[8.5]]", 8.5),
        (GRADE, "Rating: [[11]]", None),
    ],
)
def test_verdicts_are_read(template, text, value):
    assert template.parse(text).value == value


def test_judges_see_question_answers_and_reference():
    prompt = PAIR.fill({"instruction": "Q?", "output_1": "one", "output_2": "two", "reference": "gold"})
    assert all(word in prompt.user for word in ("Q?", "one", "two", "gold"))
    assert "{" not in prompt.user
    prompt = GRADE.fill({"question": "Q2?", "answer": "ans", "reference": "gold", "earlier": "Q1 A1"})
    assert all(word in prompt.user for word in ("Q2?", "ans", "gold", "Q1 A1"))


def test_question_ids_are_numbers_where_they_are():
    assert question_id("81") == 81
    assert question_id("a1") == "a1"
