"""Judging: templates and their verdicts, both orders, the reference judge, local models, the rows others read."""

from __future__ import annotations

import statistics

import pytest
import torch

from scripts.common.errors import UserError
from scripts.judging.judge import (
    Item,
    Pair,
    Prompt,
    Template,
    Verdict,
    WritingJudge,
    alpaca_eval_rows,
    judge_items,
    judge_pairs,
    mt_bench_rows,
    win_rate,
)
from scripts.judging.local import LocalWriter
from scripts.judging.reference import ReferenceJudge, exact_match, rouge
from tests.unit.lm_tiny import tiny

PAIRS = Template(
    user="Task: {instruction}\n(A) {output_1}\n(B) {output_2}\nBetter?",
    pattern=r"\[\[(A|B|C)\]\]",
    values={"A": 1, "B": 2, "C": 1.5},
)
GRADES = Template(user="{earlier}{question}\n{answer}\nReference: {reference}", pattern=r"\[\[(-?\d+(?:\.\d+)?)\]\]")


class Canned:
    """A writer that answers by a function of the prompt and remembers what it was asked."""

    name = "canned"

    def __init__(self, answer) -> None:
        self.answer = answer
        self.asked: list[Prompt] = []

    def write(self, prompts):
        self.asked += prompts
        return [self.answer(prompt) for prompt in prompts]


def judge(answer, **templates) -> WritingJudge:
    """A judge over a canned writer with the templates above."""
    return WritingJudge(Canned(answer), **{"pair_template": PAIRS, "grade_template": GRADES, **templates})


# ---- templates -------------------------------------------------------------------------------------------------------


def test_fields_are_filled_once_and_other_braces_stay():
    template = Template(user='{instruction} {output_1} {output_2} {"json": 1} {2}', pattern="(x)")
    prompt = template.fill({"instruction": "{output_1}", "output_1": "{x}", "output_2": ""})
    assert prompt.user == '{output_1} {x}  {"json": 1} {2}'


@pytest.mark.parametrize(
    "text, value",
    [
        ("so it is [[7]]", 7.0),
        ("[[3]] no, [[4.5]]", 4.5),
        ("[[0]]", None),
        ("[[11]]", None),
        ("[[-1]]", None),
        ("seven", None),
        ("", None),
    ],
)
def test_grades_are_read_from_the_last_match_within_the_scale(text, value):
    assert GRADES.parse(text) == Verdict(value, text)


def test_pair_verdicts_are_read_from_the_values():
    assert [PAIRS.parse(text).value for text in ("[[A]]", "[[B]]", "[[C]]", "[[D]]", "A")] == [1, 2, 1.5, None, None]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"pattern": "(["}, "is not a regular expression"),
        ({"pattern": "x"}, "has no group"),
        ({"user": "{instruction} {output_1} {output2}"}, r"unknown field '\{output2\}' \(did you mean 'output_2'\?\)"),
        ({"user": "{instruction} {output_1}"}, r"field '\{output_2\}' is missing"),
    ],
)
def test_bad_templates(change, message):
    with pytest.raises(UserError, match=message):
        judge(str, pair_template=Template(**{"user": PAIRS.user, "pattern": PAIRS.pattern, **change}))


def test_earlier_turns_become_a_transcript():
    one = judge(lambda prompt: "[[5]]")
    item = Item("second?", "two", reference="2", earlier=(("first?", "one"),))
    assert one.grade([item]) == [Verdict(5.0, "[[5]]")]
    text = one._writer.asked[0].user
    assert text == "### User:\nfirst?\n\n### Assistant:\none\n\nsecond?\ntwo\nReference: 2"


def test_a_missing_template_says_so():
    with pytest.raises(UserError, match="no template for grades"):
        judge(str, grade_template=None).grade([Item("q", "a")])


# ---- pairs in both orders --------------------------------------------------------------------------------------------


def prefers_long(prompt: Prompt) -> str:
    """A fair judge: the longer answer is better."""
    first, second = (line[4:] for line in prompt.user.splitlines()[1:3])
    return "[[A]]" if len(first) > len(second) else "[[B]]" if len(second) > len(first) else "[[C]]"


PAIR_LIST = [Pair("i0", "long answer", "short"), Pair("i1", "x", "yyy"), Pair("i2", "same", "same")]


@pytest.mark.parametrize("order", ["both", "given", "random"])
def test_a_fair_judge_gives_the_same_in_every_order(order):
    one = judge(prefers_long)
    verdicts = judge_pairs(one, PAIR_LIST, order=order, seed=1)
    assert [verdict.value for verdict in verdicts] == [1, 2, 1.5]
    assert len(one._writer.asked) == (6 if order == "both" else 3)


def test_a_preference_for_a_place_becomes_a_tie_in_both_orders():
    always_first = judge(lambda prompt: "[[A]]")
    assert [verdict.value for verdict in judge_pairs(always_first, PAIR_LIST, order="both")] == [1.5] * 3
    assert [verdict.value for verdict in judge_pairs(always_first, PAIR_LIST, order="given")] == [1] * 3
    many = [Pair(f"i{i}", "a", "b") for i in range(200)]
    drawn = [verdict.value for verdict in judge_pairs(always_first, many, order="random", seed=0)]
    assert set(drawn) == {1, 2}
    assert 60 < drawn.count(1) < 140
    assert drawn == [verdict.value for verdict in judge_pairs(always_first, many, order="random", seed=0)]


def test_unreadable_verdicts_are_counted(caplog):
    one = judge(lambda prompt: "hm" if "(A) x" in prompt.user else prefers_long(prompt))
    verdicts = judge_pairs(one, PAIR_LIST, order="both")
    assert [verdict.value for verdict in verdicts] == [1, None, 1.5]
    assert "no readable verdict for 1 of 3 pairs" in caplog.text
    (verdict,) = judge_items(judge(lambda prompt: "[[99]]"), [Item("q", "a")])
    assert verdict.value is None


def test_bad_order_and_nothing_to_judge():
    with pytest.raises(UserError, match=r"order: 'bth' .* \(did you mean 'both'\?\)"):
        judge_pairs(judge(str), PAIR_LIST, order="bth")
    assert judge_pairs(judge(str), [], order="both") == []
    assert judge_items(judge(str), []) == []


# ---- rows and summary ------------------------------------------------------------------------------------------------


def test_alpaca_eval_rows():
    rows = alpaca_eval_rows(PAIR_LIST[:1], [Verdict(2.0)], annotator="j", generator_1="base", generator_2="ours")
    assert rows == [
        {
            "instruction": "i0",
            "output_1": "long answer",
            "generator_1": "base",
            "output_2": "short",
            "generator_2": "ours",
            "annotator": "j",
            "preference": 2.0,
        }
    ]


def test_mt_bench_rows():
    verdicts = [Verdict(7.0, "[[7]]"), Verdict(None, "hm")]
    rows = mt_bench_rows([81, 81], [1, 2], verdicts, model="m", judge="j", template="single")
    assert [(row["question_id"], row["model"], row["judge"], row["score"], row["turn"]) for row in rows] == [
        (81, "m", ["j", "single"], 7.0, 1),
        (81, "m", ["j", "single"], -1, 2),
    ]
    with pytest.raises(ValueError, match="zip"):
        mt_bench_rows([81], [1, 2], verdicts, model="m", judge="j", template="single")


def test_win_rate_by_hand():
    summary = win_rate([2, 2, 1, 1.5, None])
    won = [1, 1, 0, 0.5]
    assert summary["win_rate"] == pytest.approx(62.5)
    assert summary["standard_error"] == pytest.approx(100 * statistics.stdev(won) / 2)
    counts = {name: summary[name] for name in ("n_wins", "n_draws", "n_wins_base", "n_total", "n_unparsed")}
    assert counts == {"n_wins": 2, "n_draws": 1, "n_wins_base": 1, "n_total": 4, "n_unparsed": 1}
    with pytest.raises(UserError, match="not one readable verdict"):
        win_rate([None])


# ---- reference judge -------------------------------------------------------------------------------------------------


def test_rouge_by_hand():
    # unigrams: 3 of 4 and 3 of 5 in common; longest common subsequence "the cat sat" = 3
    scores = rouge(["the cat sat down"], ["the old cat then sat"])
    assert scores["rouge1"] == [pytest.approx(2 * 0.75 * 0.6 / 1.35)]
    assert scores["rougeL"] == [pytest.approx(2 * 0.75 * 0.6 / 1.35)]
    assert rouge(["sat cat the"], ["the cat sat"])["rougeL"] == [pytest.approx(1 / 3)]
    assert exact_match(["a  b\n", "a B"], ["a b", "a b"]) == [True, False]


def test_reference_judge_prefers_exact_then_rouge_then_neither():
    pairs = [
        Pair("", "a b c", "a b c d", reference="a b c"),
        Pair("", "a x", "a b x", reference="a b c"),
        Pair("", "x", "y", reference="a b c"),
        Pair("", "= =", "+", reference="="),  # no word that ROUGE sees
        Pair("", "+", "=", reference="="),
        Pair("", "A B C", "a b c", reference="a b c"),  # ROUGE is blind to case, the match is not
    ]
    assert [verdict.value for verdict in ReferenceJudge().prefer(pairs)] == [1, 2, 1.5, 1.5, 2, 2]
    assert [verdict.value for verdict in judge_pairs(ReferenceJudge(), pairs, order="both")] == [1, 2, 1.5, 1.5, 2, 2]


def test_reference_judge_grades():
    items = [Item("", "a b", "a b"), Item("", "x", "a b"), Item("", "a x", "a b"), Item("", "=", "=")]
    assert [verdict.value for verdict in ReferenceJudge().grade(items)] == [10, 1, pytest.approx(5.5), 10]
    with pytest.raises(UserError, match="answer 1: no reference"):
        ReferenceJudge().grade([Item("", "a", "a"), Item("", "a", "  ")])


# ---- local models ----------------------------------------------------------------------------------------------------


def plain_sum(loaded, prompt: str, answer: str) -> float:
    """Log-likelihood of an answer after a prompt, token by token."""
    ids = loaded.tokenizer(prompt)["input_ids"]
    total = 0.0
    for token in loaded.tokenizer(answer)["input_ids"]:
        with torch.no_grad():
            total += torch.log_softmax(loaded.model(input_ids=torch.tensor([ids])).logits[0, -1].double(), -1)[
                token
            ].item()
        ids = [*ids, token]
    return total


def test_local_writer_writes_what_the_model_continues():
    loaded = tiny()
    writer = LocalWriter(loaded, name="tiny", max_new_tokens=4, batch_size=2)
    prompts = [Prompt("w1 w2", system="w3"), Prompt("w4"), Prompt("w5 w6 w7")]
    texts = writer.write(prompts)
    for text, plain in zip(texts, ("w3 w1 w2", "w4", "w5 w6 w7")):
        ids = torch.tensor([loaded.tokenizer(plain)["input_ids"]])
        out = loaded.model.generate(input_ids=ids, max_new_tokens=4, do_sample=False)[0, ids.shape[1] :]
        assert text == loaded.tokenizer.decode(out, skip_special_tokens=True)
    assert writer.write([]) == []
    template = Template(user="{question} {answer}", pattern=r"(w\d+)", values={f"w{i}": i for i in range(60)})
    (verdict,) = WritingJudge(writer, grade_template=template).grade([Item("w1", "w2")])
    (written,) = writer.write([Prompt("w1 w2")])
    assert verdict.text == written


def test_local_writer_uses_a_chat_template():
    loaded = tiny()
    loaded.tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'][0] | replace('s', 'w8') | replace('u', 'w9') }} {{ m['content'] }} "
        "{% endfor %}{% if add_generation_prompt %}w10{% endif %}"
    )
    (text,) = LocalWriter(loaded, name="tiny", max_new_tokens=3, batch_size=1).write([Prompt("w1", system="w2")])
    plain = tiny()
    (expected,) = LocalWriter(plain, name="tiny", max_new_tokens=3, batch_size=1).write([Prompt("w8 w2 w9 w1 w10")])
    assert text == expected
