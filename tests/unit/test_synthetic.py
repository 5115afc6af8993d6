"""The synthetic world: its words, its instruction families and faults, its documents, its raw files."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from scripts.common.errors import UserError
from scripts.data import synthetic_instructions
from scripts.data.synthetic import Corpus, CorpusSettings
from scripts.data.synthetic_documents import (
    LAYOUTS,
    Author,
    author_document,
    classification_document,
    draw_author,
    plain_document,
    query_tokens,
)
from scripts.data.synthetic_instructions import FAMILIES, FAULTS, GROUPS, make_example, spoil
from scripts.data.synthetic_words import EOS, FILLERS, NEWLINE, NUMBERS, RESPONSE, TRANSLATIONS, build_world

SIZES = {
    "pool_size": 120,
    "good_share": 0.35,
    "duplicate_share": 0.1,
    "anchor_size": 60,
    "eval_size": 60,
    "baseline_care": 0.6,
    "mt_bench_size": 16,
    "task_train": 4,
    "task_dev": 2,
    "task_test": 20,
}


@pytest.fixture(scope="module")
def world():
    return build_world()


@pytest.fixture(scope="module")
def corpus(world):
    return Corpus(world, CorpusSettings(**SIZES), 7)


def right_answer(family, words, world):
    """Answer a question by its definition, written a second time."""
    numbers = [NUMBERS.index(word) for word in words if word in NUMBERS]
    topics = {word: name for name, topic in zip(world.topic_names, world.topics) for word in topic}
    return {
        "copy": lambda: words,
        "reverse": lambda: list(reversed(words)),
        "first": lambda: [words[0]],
        "last": lambda: [words[-1]],
        "count": lambda: [NUMBERS[len(words) - 1]],
        "translate": lambda: [TRANSLATIONS[i] for i in numbers],
        "opposite": lambda: [world.opposite_of[word] for word in words],
        "topic": lambda: [topics[words[0]]],
        "repeat_first": lambda: [words[0], words[0]],
        "next": lambda: [NUMBERS[i + 1] for i in numbers],
        "sort": lambda: [NUMBERS[i] for i in sorted(numbers)],
        "extract": lambda: [NUMBERS[i] for i in numbers],
    }[family]()


def test_the_words_of_the_world_differ_and_leave_room(world):
    vocabulary = world.vocabulary
    assert len(set(vocabulary)) == len(vocabulary)
    assert len(set(world.topic_words)) == 240 * 5
    assert set(world.trained_topics).isdisjoint(world.held_out_topics)
    assert len(world.trained_topics) + len(world.held_out_topics) == 240
    assert sum(token.startswith("<reserved_") for token in vocabulary) == 64
    assert {"premise", "hypothesis", "therefore", "=", "apples"} <= set(vocabulary)
    assert vocabulary[:3] == ("<pad>", "</s>", "<unk>")


def test_an_impossible_world_is_refused():
    with pytest.raises(ValueError, match="impossible world"):
        build_world(4, 5, 4)


def test_opposites_work_both_ways(world):
    assert world.opposite_of["hot"] == "cold"
    assert all(world.opposite_of[other] == word for word, other in world.opposite_of.items())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_answers_by_its_definition(family, world):
    rng = random.Random(3)
    for _ in range(50):
        example = make_example(world, family, rng)
        assert list(example.answer) == list(right_answer(family, list(example.words), world))
        assert example.instruction in FAMILIES[family].phrasings
        assert set(example.instruction.split()) | set(example.words) | set(example.answer) <= set(world.vocabulary)


def test_phrasings_differ_between_families():
    phrasings = [phrasing for family in FAMILIES.values() for phrasing in family.phrasings]
    assert len(set(phrasings)) == len(phrasings)
    assert sorted(f for families in GROUPS.values() for f in families) == sorted(FAMILIES)


def test_topic_names_are_asked_of_trained_topics_only(world):
    rng = random.Random(5)
    held_out = {world.topic_names[i] for i in world.held_out_topics}
    assert all(make_example(world, "topic", rng).answer[0] not in held_out for _ in range(500))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_spoiled_answer_is_never_the_right_one(fault, world):
    rng = random.Random(4)
    for family in FAMILIES:
        for _ in range(40):
            example = make_example(world, family, rng)
            spoiled = spoil(world, example, fault, rng)
            assert spoiled.answer != example.answer
            assert (spoiled.key, spoiled.instruction, spoiled.fault) == (example.key, example.instruction, fault)
            if fault == "truncated":
                assert spoiled.answer == example.answer[: len(example.answer) // 2]
            if fault == "empty":
                assert spoiled.answer == ()
            if fault == "filler":
                assert set(spoiled.answer) <= set(FILLERS)


def test_an_unknown_fault_is_refused(world):
    with pytest.raises(ValueError, match="unknown fault 'late'"):
        spoil(world, make_example(world, "copy", random.Random(0)), "late", random.Random(0))


def test_a_query_has_the_template_of_nuggets(world):
    example = synthetic_instructions.Example("copy", "copy the words", ("hot", "cold"), ("hot", "cold"))
    with_block = " ".join(query_tokens(example, block=True)).replace(" \n ", "\n").replace(" \n", "\n")
    assert with_block == "Instruction:\ncopy the words\nInput:\nhot cold\nResponse:\n"
    inline = " ".join(query_tokens(example, block=False)).replace(" \n ", "\n").replace(" \n", "\n")
    assert inline == "Instruction:\ncopy the words : hot cold\nResponse:\n"


@pytest.mark.parametrize("neutral", [False, True])
@pytest.mark.parametrize("fault", [None, "empty", "wrong"])
def test_author_documents_put_the_loss_on_answers_and_what_ends_them(world, neutral, fault):
    for seed in range(30):
        rng = random.Random(seed)
        document = author_document(world, rng, Author(fault, 0.1), neutral=neutral, n_examples=9, max_tokens=96)
        assert len(document.tokens) <= 96
        assert document.tokens[-1] == EOS
        assert len(document.targets) == sum(len(example.answer) + 1 for example in document.examples)
        starts = [i + 2 for i, token in enumerate(document.tokens) if token == RESPONSE]
        expected = [s + k for s, e in zip(starts, document.examples) for k in range(len(e.answer) + 1)]
        assert document.targets == expected
        for start, example in zip(starts, document.examples):
            assert document.tokens[start - 1] == NEWLINE
            assert tuple(document.tokens[start : start + len(example.answer)]) == example.answer
            assert example.fault in (None, fault)
        wordings = {example.instruction: example.family for example in document.examples}
        assert not neutral or all(wording.startswith("apply ") for wording in wordings)
        assert len(set(wordings.items())) == len(wordings)


def test_a_long_first_example_still_makes_a_document(world):
    document = author_document(world, random.Random(1), Author(None, 0.0), neutral=False, n_examples=3, max_tokens=5)
    assert len(document.examples) == 1


def test_authors_are_careful_as_often_as_asked_and_slip_sometimes(world):
    rng = random.Random(11)
    authors = [draw_author(rng, 0.35) for _ in range(4000)]
    assert sum(author.fault is None for author in authors) / 4000 == pytest.approx(0.35, abs=0.03)
    faults = Counter(author.fault for author in authors if author.fault)
    assert faults.most_common(1)[0][0] == "empty"
    assert set(faults) == set(FAULTS)
    documents = [
        author_document(world, rng, Author("empty", 0.1), neutral=False, n_examples=4, max_tokens=96)
        for _ in range(300)
    ]
    right = [example.fault is None for document in documents for example in document.examples]
    assert sum(right) / len(right) == pytest.approx(0.1, abs=0.04)


@pytest.mark.parametrize("layout", range(len(LAYOUTS)))
def test_classification_documents_mark_content_separators_and_labels(world, layout):
    topics = [3, 50, 7]
    document = classification_document(world, random.Random(2), topics, 16, layout)
    names = {}
    for kind, content, separator, label in zip(
        document.classes, document.content, document.separators, document.labels
    ):
        assert label == separator + 1
        assert {document.tokens[p] for p in content} <= set(world.topics[topics[kind]])
        assert len({document.tokens[p] for p in content}) == 4
        assert names.setdefault(kind, document.tokens[label]) == document.tokens[label]
    assert len(set(names.values())) == len(names)
    assert len(document.labels) == 16


def test_classes_can_be_given_and_labels_shuffled(world):
    kinds = [0, 1, 1, 0, 1] * 20
    kept = classification_document(world, random.Random(2), [1, 2], 100, 0, kinds=kinds)
    assert kept.classes == kinds
    mixed = classification_document(world, random.Random(2), [1, 2], 100, 0, kinds=kinds, shuffled=True)
    names = {mixed.tokens[p] for p, kind in zip(mixed.labels, mixed.classes) if kind == 0}
    assert len(names) == 2


def test_plain_text_stays_with_its_topics(world):
    tokens = plain_document(world, random.Random(1), [4], 60)
    assert len(tokens) == 60
    assert set(tokens) <= {*world.topics[4], *FILLERS, ".", EOS}


def test_no_question_is_asked_in_two_parts(corpus):
    parts = [
        corpus.eval_examples,
        corpus.first_turns + corpus.second_turns,
        corpus.anchor_examples,
        corpus.pool_examples,
    ]
    keys = [{example.key for example in part} for part in parts]
    for i, one in enumerate(keys):
        for other in keys[i + 1 :]:
            assert one.isdisjoint(other)
    prompts = {row["instruction"] for row in corpus.alpaca_eval()}
    texts = {
        row["instruction"] if not row["input"] else f"{row['instruction']} : {row['input']}"
        for row in corpus.pool() + corpus.anchor_pool()
    }
    assert prompts.isdisjoint(texts)
    assert len(prompts) == SIZES["eval_size"]


def test_the_truth_says_what_the_pool_holds(corpus, world):
    pool, truth = corpus.pool(), corpus.truth()
    assert [row["id"] for row in truth] == [str(i) for i in range(len(pool))]
    assert sum(row["good"] for row in truth) == round(0.35 * 120)
    for row, known in zip(pool, truth):
        instruction, _, inline = row["instruction"].partition(" : ")
        words = (row["input"] or inline).split()
        assert instruction in FAMILIES[known["family"]].phrasings
        right = list(right_answer(known["family"], words, world))
        assert (row["output"].split() == right) == known["good"]
        assert (known["fault"] == "") == known["good"]
        assert known["fault"] != "truncated" or row["output"]


def test_near_duplicates_ask_the_same_in_other_words(corpus):
    truth = corpus.truth()
    again = [(i, int(row["duplicate_of"])) for i, row in enumerate(truth) if row["duplicate_of"]]
    assert len(again) == 12
    for number, source in again:
        one, other = corpus.pool_examples[number], corpus.pool_examples[source]
        assert one.key == other.key
        assert one.instruction != other.instruction
        assert truth[source]["duplicate_of"] == ""
    assert len({example.key for example in corpus.pool_examples}) == 120 - 12


def test_the_benchmark_has_gold_answers_and_a_middling_baseline(corpus):
    rows = corpus.alpaca_eval()
    assert {row["dataset"] for row in rows} == set(GROUPS)
    right = sum(row["output"] == row["reference"] for row in rows)
    assert 0.4 <= right / len(rows) <= 0.8
    assert all(row["output"] for row in rows)
    for row, example in zip(rows, corpus.eval_examples):
        assert row["reference"].split() == list(example.answer)


def test_two_turn_questions_have_an_answer_per_turn(corpus):
    questions, references = corpus.mt_bench_questions(), corpus.mt_bench_references()
    assert [row["question_id"] for row in questions] == [row["question_id"] for row in references]
    assert len({row["category"] for row in questions}) == 8
    assert all(len(row["turns"]) == 2 for row in questions)
    assert all(len(row["choices"][0]["turns"]) == 2 for row in references)


def test_tasks_use_topics_of_one_kind_and_a_label_per_topic(corpus, world):
    tasks = corpus.tasks()
    assert len(tasks) == 12
    assert len({task.name for task in tasks}) == 12
    for task in tasks:
        kind = world.held_out_topics if task.held_out else world.trained_topics
        assert set(task.topics) <= set(kind)
        assert len(set(task.labels)) == len(task.topics)
        train = Counter(label for _, label in corpus.task_rows(task, "train"))
        assert set(train.values()) == {SIZES["task_train"]}
        assert len(corpus.task_rows(task, "test")) == SIZES["task_test"]


def test_seeds_decide_everything(world, corpus):
    same = Corpus(world, CorpusSettings(**SIZES), 7)
    other = Corpus(world, CorpusSettings(**SIZES), 8)
    for part in ("pool", "truth", "anchor_pool", "alpaca_eval", "mt_bench_questions", "mt_bench_references", "tasks"):
        assert getattr(same, part)() == getattr(corpus, part)()
        assert getattr(other, part)() != getattr(corpus, part)()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"good_share": 1.5}, r"'good_share' is 1.5; give a share in 0..1"),
        ({"pool_size": 0}, r"'pool_size' is 0; give 1 or more"),
        ({"eval_size": "many"}, r"'eval_size' is 'many'; give a number"),
    ],
)
def test_impossible_sizes_are_refused(world, change, message):
    with pytest.raises(UserError, match=message):
        Corpus(world, CorpusSettings(**{**SIZES, **change}), 1)


def test_a_family_without_new_questions_is_named(corpus):
    class Everything(set):
        def __contains__(self, key):
            return True

    with pytest.raises(UserError, match="family 'count' has no new question left for 'anchors'; ask for fewer"):
        corpus._fresh(Everything(), "anchors", 1, ["count"])
