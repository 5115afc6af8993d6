"""Templates and token ids of demonstrations and anchors: the released code's text handling, seam and cut included."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from scripts.common.errors import UserError
from scripts.lm.prompts import Prompt, default_ids, leading_ids, plain_ids, split_answer
from scripts.nuggets.prompting import demonstration_room, describe_fits, encode_anchors, encode_demonstration
from tests.unit.nuggets_tiny import BOS, PROMPT, instruction_rows, plain_text, tokenizer

ROW = {"id": "a", "instruction": " w1 w2\n", "input": " ", "output": "  w3 w4 "}
WITH_INPUT = {"id": "b", "instruction": "w1", "input": "w5\n", "output": "w6"}


@pytest.fixture
def prompt() -> Prompt:
    return Prompt.from_config(PROMPT)


def anchors(rows: list[dict[str, str]], prompt: Prompt, **changes: object) -> list:
    options = {"max_tokens": 200, "bos": "paper", "window": 128, **changes}
    return encode_anchors(tokenizer(), prompt, rows, **options)


def test_text_of_an_example_without_and_with_input(prompt: Prompt) -> None:
    assert prompt.query(ROW) == "Instruction:\nw1 w2\nResponse:\n"
    assert prompt.full(ROW) == "Instruction:\nw1 w2\nResponse:\nw3 w4"
    assert prompt.full(WITH_INPUT) == "Instruction:\nw1\nInput:\nw5\nResponse:\nw6"


def test_random_rows_have_the_text_written_out_in_full(prompt: Prompt) -> None:
    for row in instruction_rows(30, seed=3):
        assert (prompt.query(row), prompt.full(row)) == plain_text(row)


def test_braces_in_the_users_text_stay_text(prompt: Prompt) -> None:
    row = {"id": "a", "instruction": "print {input} and {x}", "input": "{instruction}", "output": "{}"}
    assert prompt.full(row) == "Instruction:\nprint {input} and {x}\nInput:\n{instruction}\nResponse:\n{}"


@pytest.mark.parametrize(
    "templates, message",
    [
        ({"with_input": "{instruction} {input}"}, "key 'without_input' is missing"),
        ({**PROMPT, "with_inputs": "x"}, r"unknown key 'with_inputs' \(did you mean 'with_input'\?\)"),
        ({**PROMPT, "with_input": "{instruction}"}, r"template 'with_input' has no place \{input\}"),
        ({**PROMPT, "without_input": "x"}, r"template 'without_input' has no place \{instruction\}"),
    ],
)
def test_faulty_templates_are_refused(templates: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Prompt.from_config(templates)


def test_demonstration_has_the_special_tokens_and_the_anchor_has_none(prompt: Prompt) -> None:
    made = encode_demonstration(tokenizer(), prompt, ROW, separator="", max_tokens=99, too_long="error")
    demonstration = made.ids
    (anchor,) = anchors([ROW], prompt)
    assert demonstration is not None
    assert demonstration[0] == BOS
    assert demonstration[1:] == anchor.query_ids + anchor.answer_ids
    assert tokenizer().convert_ids_to_tokens(anchor.answer_ids) == ["w3", "w4"]


def test_separator_ends_the_demonstration(prompt: Prompt) -> None:
    ids = [
        encode_demonstration(tokenizer(), prompt, ROW, separator=text, max_tokens=99, too_long="error").ids
        for text in ("", "\n|")
    ]
    assert ids[1] == (*ids[0], *plain_ids(tokenizer(), "\n|"))


def test_leading_tokens_are_those_the_tokenizer_puts_first() -> None:
    assert leading_ids(tokenizer()) == [BOS]
    assert leading_ids(tokenizer(bos=False)) == []


def merging_tokenizer() -> PreTrainedTokenizerFast:
    """Characters, but `:` and `x` between query and answer are one token."""
    vocabulary = {letter: place for place, letter in enumerate(["q", ":", "x", "y", ":x"])}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocabulary, [(":", "x")])))


def test_a_token_across_the_seam_is_split_as_in_the_released_code() -> None:
    # The query alone is q : (2 tokens), the whole text q :x y (3 tokens): the answer starts after two of the latter.
    query_ids, answer_ids, n_full = split_answer(merging_tokenizer(), "q:", "q:xy")
    assert (query_ids, answer_ids, n_full) == ([0, 4], [3], 1)


def test_an_answer_swallowed_by_the_seam_is_empty() -> None:
    assert split_answer(merging_tokenizer(), "q:", "q:x") == ([0, 4], [], 0)


def test_cut_keeps_the_first_tokens_and_says_so(prompt: Prompt) -> None:
    (whole,) = anchors([ROW], prompt)
    n_query = len(whole.query_ids)
    (cut,) = anchors([ROW], prompt, max_tokens=n_query + 1)
    assert cut.query_ids + cut.answer_ids == (whole.query_ids + whole.answer_ids)[: n_query + 1]
    assert (len(cut.answer_ids), cut.n_full, cut.cut, whole.cut) == (1, 2, True, False)


@pytest.mark.parametrize("shorter", [0, 1])
def test_a_query_of_the_cut_length_leaves_no_answer(prompt: Prompt, shorter: int) -> None:
    (whole,) = anchors([ROW], prompt)
    (cut,) = anchors([ROW], prompt, max_tokens=len(whole.query_ids) - shorter)
    assert cut.answer_ids == ()
    assert cut.query_ids == whole.query_ids[: len(whole.query_ids) - shorter]
    assert cut.n_full == 2


def test_no_cut_where_there_is_no_limit(prompt: Prompt) -> None:
    row = {**ROW, "output": "w1 " * 60}
    assert len(anchors([row], prompt, max_tokens=None)[0].answer_ids) == 60


def test_anchor_longer_than_the_window_is_an_error(prompt: Prompt) -> None:
    row = {**ROW, "output": "w1 " * 60}
    n_tokens = len(plain_ids(tokenizer(), prompt.full(row)))
    assert anchors([row], prompt, window=n_tokens)
    with pytest.raises(UserError, match=r"anchor 'a': \d+ tokens do not fit the model's window"):
        anchors([row], prompt, window=n_tokens - 1)
    with pytest.raises(UserError, match=r"anchor 'a': \d+ tokens do not fit"):
        anchors([row], prompt, window=n_tokens, bos="both")


def test_room_for_demonstrations_is_what_the_longest_anchor_leaves(prompt: Prompt) -> None:
    encoded = anchors([ROW, WITH_INPUT], prompt)
    longest = max(anchor.n_tokens for anchor in encoded)
    assert demonstration_room(encoded, 50) == 50 - longest
    with pytest.raises(UserError, match="leave no room for a demonstration"):
        demonstration_room(encoded, longest)


def test_too_long_demonstrations_are_refused_cut_or_skipped(prompt: Prompt) -> None:
    ids = tuple(default_ids(tokenizer(), prompt.full(ROW)))

    def encode(room: int, too_long: str, separator: str = "") -> tuple[tuple[int, ...] | None, str]:
        made = encode_demonstration(tokenizer(), prompt, ROW, separator=separator, max_tokens=room, too_long=too_long)
        return made.ids, made.fit

    for policy in ("error", "truncate", "skip"):
        assert encode(len(ids), policy) == (ids, "whole")
    with pytest.raises(UserError, match=r"candidate 'a': 10 tokens.*set too_long to truncate or skip"):
        encode(len(ids) - 1, "error")
    n_query = len(default_ids(tokenizer(), prompt.query(ROW)))
    assert len(ids) - n_query >= 2
    assert encode(len(ids) - 1, "truncate") == (ids[:-1], "cut")
    assert encode(n_query + 1, "truncate") == (ids[: n_query + 1], "cut")
    assert encode(n_query, "truncate") == (None, "answer_lost")
    assert encode(1, "truncate") == (None, "answer_lost")
    assert encode(len(ids) - 1, "skip") == (None, "skipped")
    assert encode(len(ids), "truncate", separator=" w1") == (ids, "whole")  # only the separator does not fit


def test_candidates_that_are_not_scored_as_they_are_are_counted() -> None:
    assert describe_fits(["whole", "whole"]) == ""
    assert describe_fits(["whole", "cut", "answer_lost", "cut", "skipped"]) == (
        "of 5 candidates 2 lose the end of their answer, 1 would lose their whole answer and are skipped, "
        "1 do not fit the window and are skipped; column fit of the scores names them"
    )


def test_unknown_choices_are_refused(prompt: Prompt) -> None:
    with pytest.raises(UserError, match="bos: unknown value 'papers'"):
        anchors([ROW], prompt, bos="papers")
    with pytest.raises(UserError, match="anchor_tokens: 0"):
        anchors([ROW], prompt, max_tokens=0)
