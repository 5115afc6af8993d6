"""MetaICL's tasks: the registry, the templates on hand-made upstream rows, cuts and draws."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.data.task_registry import load_task_registry
from scripts.data.task_rows import ROW_FUNCTIONS
from scripts.data.task_templates import cut_splits, examples_of

SEVEN = ["hr_to_lr", "class_to_class", "non_class_to_class", "qa_to_qa", "non_qa_to_qa", "non_nli_to_nli"]
SEVEN.append("non_paraphrase_to_paraphrase")
REGISTRY = load_task_registry("config/metaicl.yaml", SEVEN)
MADE = {name: row for name, row in REGISTRY.tasks.items() if "input" in row}


def test_the_seven_settings_have_the_published_sizes():
    sizes = [(len(REGISTRY.settings[name]["train"]), len(REGISTRY.settings[name]["test"])) for name in SEVEN]
    assert sizes == [(61, 26), (43, 20), (37, 20), (37, 22), (33, 22), (55, 8), (59, 4)]
    used = {task for name in SEVEN for role in ("train", "test") for task in REGISTRY.settings[name][role]}
    assert len(used) == 142
    assert "dbpedia_14" not in REGISTRY.test_tasks("class_to_class")
    assert len(REGISTRY.test_tasks("non_class_to_class")) == 19


def test_settings_that_share_their_rows():
    assert REGISTRY.train_set("trained") == REGISTRY.train_set("held_out") == "synthetic"
    assert REGISTRY.train_set("qa_to_qa") == "qa_to_qa"
    assert REGISTRY.train_tasks("non_nli_to_nli", SEVEN)[:2] == ["ade_corpus_v2-classification", "ag_news"]
    assert REGISTRY.metric_of(["sick", "sciq", "piqa"]) == {"sick": "macro_f1", "sciq": "accuracy", "piqa": "macro_f1"}


@pytest.mark.parametrize("name", sorted(MADE))
def test_each_entry_is_complete(name):
    row = MADE[name]
    assert sum(key in row for key in ("label", "output", "choices")) == 1
    assert ("choices" in row) == (row["type"] == "multi_choice")
    assert ("options" in row) == (row["type"] == "classification")
    assert row.get("rows", "coin") in ROW_FUNCTIONS
    if "names" in row:
        names = row["names"].values() if isinstance(row["names"], dict) else row["names"]
        assert set(names) <= set(row["options"])


CASES = {
    "glue-sst2": (
        {"sentence": "a film ", "label": 1},
        "sentence: a film",
        "positive",
        ["negative", "positive"],
    ),
    "anli": (
        {"premise": "it\nrains", "hypothesis": "wet", "label": 2},
        "premise: it rains [SEP] hypothesis: wet",
        "contradiction",
        ["contradiction", "entailment", "neutral"],
    ),
    "art": (
        {"observation_1": "a", "observation_2": "b", "hypothesis_1": "c", "hypothesis_2": "d", "label": 2},
        "observation 1: a [SEP] observation 2: b [SEP] hypothesis 1: c [SEP] hypothesis 2: d",
        "hypothesis 2",
        ["hypothesis 1", "hypothesis 2"],
    ),
    "ai2_arc": (
        {"question": "why?", "choices": {"label": ["1", "2"], "text": ["x", "y"]}, "answerKey": "2"},
        "why?",
        "y",
        ["x", "y"],
    ),
    "openbookqa": (
        {"question_stem": "why", "choices": {"label": ["A", "B"], "text": ["x", "y"]}, "answerKey": "A"},
        "why",
        "x",
        ["x", "y"],
    ),
    "wino_grande": (
        {"sentence": "_ ran", "option1": "he", "option2": "she", "answer": "2"},
        "_ ran",
        "she",
        ["he", "she"],
    ),
    "quail": (
        {"question": "who?", "context": "a\nstory ", "answers": ["x", "y"], "correct_answer_id": 0},
        " a storywho?",  # MetaICL leaves no space there
        "x",
        ["x", "y"],
    ),
    "dream": (
        {"question": "who?", "dialogue": ["M: hi", "W: ho"], "choice": ["M", "W", "X"], "answer": "W"},
        "who? [SEP] M: hi W: ho [SEP]",
        "W",
        ["M", "W", "X"],
    ),
    "superglue-copa": (
        {"premise": "it fell.", "question": "cause", "choice1": "push", "choice2": "pull", "label": 1},
        "Effect: it fell.",
        "Cause: pull",
        ["Cause: push", "Cause: pull"],
    ),
    "quarel": (
        {"question": "Is it (A) up or (B) down.", "answer_index": 1},
        "Is it",
        "down",
        ["up", "down"],
    ),
    "hotpot_qa": (
        {
            "question": "q",
            "answer": "a",
            "supporting_facts": {"title": ["t", "v"]},
            "context": {"title": ["t", "u", "v"], "sentences": [["x.", " y."], ["no"], ["z."]]},
        },
        "question: q context: x. y. z.",
        "a",
        [],
    ),
    "lama-google_re": (
        {"template": "[X] was born in [Y] .", "sub_label": "Ann", "obj_label": "1900"},
        "Ann was born in [MASK] .",
        "1900",
        [],
    ),
    "kilt_nq": ({"input": "who", "output": [{"answer": "me"}, {"answer": "you"}]}, "who", "me", []),
    "freebase_qa": (
        {"RawQuestion": "q", "Parses": {"Answers": [{"AnswersName": [["z"], ["b"]]}]}},
        "q",
        "b",  # the first in order, not in the file
        [],
    ),
    "yelp_polarity": ({"text": "good\\nfood", "label": 0}, "good food", "negative", ["negative", "positive"]),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_one_row_by_hand(name):
    row, text, output, options = CASES[name]
    (example,) = examples_of(name, MADE[name], [row], "x")
    assert example == {"task": name, "input": text, "output": output, "options": options}


def test_rows_of_classes_that_metaicl_leaves_out():
    rows = [{"context": "a", "question-X": "b", "answer-Y": "c", "goldstandard2": label} for label in (-1, 1)]
    assert [example["output"] for example in examples_of("circa", MADE["circa"], rows, "x")] == ["No"]
    ratings = [{"content": "q", "rating": rating} for rating in (0.2, 0.4, 0.5, 0.6, 0.8)]
    found = examples_of("google_wellformed_query", MADE["google_wellformed_query"], ratings, "x")
    assert [example["output"] for example in found] == ["not well-formed", "well-formed"]
    votes = [[0, 0, 1], [0, 1, 2], [2, 2, 2]]
    rows = [{"post_tokens": ["a", "b"], "annotators": {"label": labels}} for labels in votes]
    found = examples_of("hatexplain", MADE["hatexplain"], rows, "x")
    assert [(example["input"], example["output"]) for example in found] == [("a b", "hatespeech"), ("a b", "offensive")]


def test_an_answer_beyond_the_options_is_left_out_and_an_option_stands_once():
    rows = [{"title": "t", "abstract": "a", "answer": answer} for answer in ("@entity3", "@entity99")]
    assert len(examples_of("biomrc", MADE["biomrc"], rows, "x")) == 1
    row = {"question": "q", "choices": {"label": ["A", "B", "C"], "text": ["x", "x", "y"]}, "answerKey": "B"}
    (example,) = examples_of("qasc", MADE["qasc"], [row], "x")
    assert example["options"] == ["x", "y"]


def test_answers_to_one_question_come_together():
    def row(question, answer, label):
        return {"idx": {"question": question}, "question": "q", "paragraph": "p", "answer": answer, "label": label}

    rows = [row(0, "a", 0), row(0, "b", 1), row(1, "c", 0), row(1, "d", 0), row(2, "e", 1)]
    (example,) = examples_of("superglue-multirc", MADE["superglue-multirc"], rows, "x")
    assert (example["input"], example["output"], example["options"]) == (" context: pquestion: q", "b", ["a", "b"])


def test_the_coin_is_seeded_and_tells_the_right_sentence():
    name = "blimp-ellipsis_n_bar_2"
    rows = [{"sentence_good": f"good {number}", "sentence_bad": "bad"} for number in range(50)]
    found = examples_of(name, MADE[name], rows, "x")
    tosses = np.random.RandomState(42).random_sample(50) > 0.5
    assert [example["output"] == "sentence 1" for example in found] == list(tosses)
    for example in found:
        first = example["input"].split(" [SEP] ")[0]
        assert ("good" in first) == (example["output"] == "sentence 1")


@pytest.mark.parametrize(
    ("cut", "sizes"),
    [
        (None, (20, 10)),
        ({"kind": "split", "train": 0.8, "test": 0.2}, (16, 4)),
        ({"kind": "test_share", "test": 0.1}, (20, 1)),
        ({"kind": "head", "train": 5, "test": 2}, (5, 2)),
    ],
)
def test_cuts(cut, sizes):
    train = [{"input": str(number)} for number in range(20)]
    test = [{"input": f"t{number}"} for number in range(10)]
    found = cut_splits({"cut": cut}, train, test)
    assert tuple(map(len, found)) == sizes
    if cut and cut["kind"] != "test_share":
        whole = list(range(20))
        np.random.RandomState(42).shuffle(whole)
        ours = [int(row["input"]) for part in found for row in part]
        assert ours == whole[: len(ours)]
    assert [row["input"] for row in train] == list(map(str, range(20))), "the given rows stay as they are"


@pytest.mark.parametrize(
    ("name", "row", "told"),
    [
        (
            "glue-sst2",
            {"sentense": "a", "label": 0},
            r"x: row 1: column 'sentence': no 'sentence' \(did you mean 'sentense'",
        ),
        ("glue-sst2", {"sentence": "a", "label": 7}, r"x: row 1: column 'label': label 7 is none of 0, 1"),
        (
            "swag",
            {"startphrase": "a", **{f"ending{i}": "b" for i in range(4)}, "label": 4},
            "answer 4 names none of 4 choices",
        ),
        ("hatexplain", {"post_tokens": ["a"]}, "x: column 'annotators' is missing"),
    ],
)
def test_broken_rows(name, row, told):
    with pytest.raises(UserError, match=told):
        examples_of(name, MADE[name], [row], "x")


def test_unknown_settings_are_named():
    with pytest.raises(UserError, match=r"no setting 'hr_to_lrr' .*did you mean 'hr_to_lr'"):
        load_task_registry("config/metaicl.yaml", ["hr_to_lrr"])


def test_a_setting_of_a_task_that_is_not_there(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("settings: {a: {train: [x], test: [y], dropped: []}}\ntasks: {x: {type: free_form}}\n")
    with pytest.raises(UserError, match=r"settings\.a: no task 'y'"):
        load_task_registry(path, ["a"])
    path.write_text("settings: {}\ntasks: {x: {type: something}}\n")
    with pytest.raises(UserError, match=r"tasks\.x\.type: is 'something'"):
        load_task_registry(path, [])
