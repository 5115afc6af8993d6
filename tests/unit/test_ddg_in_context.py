"""Evaluation B's reader: the cached prefix beside running every prompt whole, one at a time."""

from __future__ import annotations

import random
import weakref
from typing import Sequence

import numpy as np
import pytest
import torch

from scripts.common.errors import UserError
from scripts.ddg.evaluate_in_context import Arm, Evaluation, Protocol
from scripts.ddg.in_context import Prefix, Reader
from scripts.ddg.prompting import read_prompt
from scripts.ddg.settings_steps import InContextSettings
from scripts.ddg.texts import Task
from scripts.lm.load import LoadedModel, load_model
from tests.unit.lm_tiny import WINDOW, tiny, words

LABELS = ["w50", "w51 w52", "w50 w53"]


@torch.no_grad()
def whole_label_scores(
    loaded: LoadedModel, prefix: str, queries: Sequence[str], lead: str, labels: Sequence[str]
) -> np.ndarray:
    """Return label log-probabilities from one plain forward pass a query and label, nothing kept."""
    scores = np.zeros((len(queries), len(labels)))
    for row, query in enumerate(queries):
        asked = loaded.tokenizer(prefix + query + lead.rstrip(" "))["input_ids"]
        for column, label in enumerate(labels):
            ids = loaded.tokenizer(prefix + query + lead + label)["input_ids"]
            assert ids[: len(asked)] == asked
            logits = loaded.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
            scores[row, column] = sum(float(logits[n - 1, ids[n]]) for n in range(len(asked), len(ids)))
    return scores


@torch.no_grad()
def whole_answer(loaded: LoadedModel, prompt: str, n_new: int) -> str:
    """Return the likeliest continuation, the whole prompt run again for every token."""
    ids = loaded.tokenizer(prompt)["input_ids"]
    start = len(ids)
    for _ in range(n_new):
        token = int(loaded.model(torch.tensor([ids])).logits[0, -1].argmax())
        if token == loaded.tokenizer.eos_token_id:
            break
        ids = [*ids, token]
    return loaded.tokenizer.decode(ids[start:], skip_special_tokens=True)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt"])
@pytest.mark.parametrize("batch_tokens", [8, 64])
def test_growing_rounds_equal_whole_prompts(kind, batch_tokens):
    loaded, rng = tiny(kind), random.Random(3)
    reader = Reader(loaded, batch_tokens)
    queries = [words(n, rng) for n in (2, 5, 1, 4)]
    text, prefix = "", None
    for _ in range(3):  # every round begins with the one before
        text += f"{words(4, rng)} Label: w50\n"
        prefix = reader.extend(text, prefix)
        for labels in (["w50", "w51"], LABELS):
            ours = reader.label_scores(prefix, queries, " Label: ", labels, "sum")
            np.testing.assert_allclose(
                ours, whole_label_scores(loaded, text, queries, " Label: ", labels), rtol=0, atol=2e-4
            )
        assert reader.write(prefix, queries, 4) == [whole_answer(loaded, text + query, 4) for query in queries]


def test_a_real_tokenizer_and_other_orders(shared):
    loaded = load_model(str(shared / "models" / "stories260k"), dtype="float32", device="cpu")
    reader = Reader(loaded, 256)
    queries = ["sentence: a happy dog", "sentence: the sad old cat and a bird"]
    demos = ["sentence: good fun\nlabel: positive\n\n", "sentence: very dull\nlabel: negative\n\n"]
    labels = ["negative", "positive"]
    prefix = None
    for text in (demos[0], demos[1] + demos[0], demos[1]):  # longer, reordered, shorter than the one before
        prefix = reader.extend(text, prefix)
        ours = reader.label_scores(prefix, queries, "\nlabel: ", labels, "sum")
        theirs = whole_label_scores(loaded, text, queries, "\nlabel: ", labels)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-4)
        assert (ours.argmax(1) == theirs.argmax(1)).all()
        assert reader.write(prefix, queries, 5) == [whole_answer(loaded, text + query, 5) for query in queries]
    firsts = reader.first_token_scores(prefix, queries, "\nlabel: ", ["good", "bad"])
    assert np.isfinite(firsts).all()
    assert (firsts < 0).all()


def test_without_demonstrations():
    loaded, rng = tiny("llama"), random.Random(5)
    reader, queries = Reader(loaded, 64), [words(3, rng), words(2, rng)]
    prefix = reader.extend("")
    ours = reader.label_scores(prefix, queries, " ", LABELS, "sum")
    np.testing.assert_allclose(ours, whole_label_scores(loaded, "", queries, " ", LABELS), rtol=0, atol=2e-4)
    assert reader.write(prefix, queries, 3) == [whole_answer(loaded, query, 3) for query in queries]


def test_mean_divides_by_the_labels_tokens():
    loaded, rng = tiny("llama"), random.Random(6)
    reader, queries = Reader(loaded, 64), [words(3, rng)]
    prefix = reader.extend("w1 w2\n")
    sums, means = (reader.label_scores(prefix, queries, " ", LABELS, norm) for norm in ("sum", "mean"))
    np.testing.assert_allclose(sums, means * [1, 2, 2], rtol=1e-9)


def test_labels_that_begin_alike_are_refused_by_first_tokens():
    reader = Reader(tiny("llama"), 64)
    with pytest.raises(
        UserError, match=r"labels 'w50' and 'w50 w53' begin with the same\s+token; use the scorer labels"
    ):
        reader.first_token_scores(reader.extend("w1\n"), ["w2"], " ", LABELS)


def test_a_prefix_longer_than_the_window_is_one_line():
    reader = Reader(tiny("llama"), 64)
    with pytest.raises(UserError, match=rf"exceed the model's window of {WINDOW}"):
        reader.extend(words(WINDOW + 1, random.Random(0)))
    prefix = reader.extend(words(WINDOW - 3, random.Random(0)) + "\n")
    with pytest.raises(UserError, match=rf"window of\s+{WINDOW}"):
        reader.label_scores(prefix, [words(5, random.Random(1))], " ", ["w50", "w51"], "sum")


def test_a_token_across_the_seam_is_refused(shared):
    loaded = load_model(str(shared / "models" / "stories260k"), dtype="float32", device="cpu")
    reader = Reader(loaded, 256)
    with pytest.raises(UserError, match="a token spans the seam between demonstrations and query"):
        reader.write(reader.extend("once upon a ti"), ["me there was"], 2)


def test_wrong_labels_teach_less_and_none_nothing(repo_root):
    """The shipped model learns from the labels it is shown: turned round, they teach the wrong ones."""
    loaded = load_model(str(repo_root / "resources" / "mini" / "causal"), dtype="float32", device="cpu")
    reader, rng = Reader(loaded, 512), random.Random(0)
    topics = ["mouse keyboard monitor printer", "brake engine bumper clutch", "poodle spaniel beagle terrier"]
    labels = ["ebony", "ruby", "jade"]

    def text(kind: int) -> str:
        mixed = [*topics[kind].split(), *rng.sample(["the", "a", "of", "to", "with"], 3)]
        return " ".join(rng.sample(mixed, len(mixed))) + " Label:"

    shown = [(text(n % 3), n % 3) for n in range(18)]
    queries = [text(n % 3) for n in range(30)]
    found = []
    for turn in (0, 1, None):
        kept = shown if turn is not None else []
        prefix = reader.extend("".join(f"{own} {labels[(kind + (turn or 0)) % 3]}\n" for own, kind in kept))
        chosen = reader.label_scores(prefix, queries, " ", labels, "sum").argmax(1)
        found.append(float((chosen == np.arange(30) % 3).mean()))
    assert found[0] > 0.8
    assert found[1] < 0.2
    assert found[2] < 0.6


class Watched(Reader):
    """A reader that notes how many caches of prefixes live at once, and how many bytes they hold."""

    def __init__(self, loaded: LoadedModel) -> None:
        super().__init__(loaded, 512)
        self.made: list[weakref.ref] = []
        self.most, self.bytes = 0, 0

    def extend(self, text: str, past: Prefix | None = None) -> Prefix:
        prefix = super().extend(text, past)
        if prefix.cache is not None:
            self.made.append(weakref.ref(prefix.cache))
        living = [cache for cache in (made() for made in self.made) if cache is not None]
        parts = [part for cache in living for part in (*cache.keys, *cache.values)]
        self.most = max(self.most, len(living))
        self.bytes = max(self.bytes, sum(part.numel() * part.element_size() for part in parts))
        return prefix


def topical(n: int, seed: int) -> Task:
    rng = random.Random(seed)
    topics = ["mouse keyboard monitor printer", "brake engine bumper clutch", "poodle spaniel beagle terrier"]
    texts = tuple((" ".join(rng.choices(topics[row % 3].split(), k=6)),) for row in range(n))
    return Task(("text",), texts, tuple(row % 3 for row in range(n)), ("ebony", "ruby", "jade"))


def test_the_caches_of_retrieved_demonstrations_do_not_pile_up(repo_root):
    """Memory with 100 queries is that with 10: a query is asked before the next one's demonstrations are run."""
    loaded = load_model(str(repo_root / "resources" / "mini" / "causal"), dtype="float32", device="cpu")
    prompt = read_prompt(repo_root / "config" / "prompts" / "ddg" / "mini.yaml")
    protocol = Protocol("mini", prompt, "rounds", ("generate", "labels", "first_token"))
    settings = InContextSettings(
        text_columns=["text"], dpc=2, draws=1, turns=40, orders={"mini": "rounds"}, scorers={"mini": ["labels"]},
        only={}, instruct=False, label_norm="sum", retrieval_rounds=[2], batch_tokens=512,
    )  # fmt: skip
    pool, found = topical(30, 1), {}
    for n in (10, 100):
        reader, test = Watched(loaded), topical(100, 2)
        evaluation = Evaluation(reader, test, range(n), settings)
        ranked = [[(row + 3 * place) % 30 for place in range(6)] for row in range(n)]
        evaluation.evaluate_retrieval(protocol, Arm("near", 0, 0), pool, ranked)
        assert len(reader.made) == n
        assert [(row["scorer"], row["n"]) for row in evaluation.rows] == [(name, n) for name in protocol.scorers]
        found[n] = (reader.most, reader.bytes)
        answers = [row["answers"] for row in evaluation.answers]
    assert found[10] == found[100]
    assert found[100][0] == 1
    # each query got the answer behind its own demonstrations: the same as asked alone
    for row in (3, 47):
        alone = Evaluation(Reader(loaded, 512), test, [row], settings)
        alone.evaluate_retrieval(protocol, Arm("near", 0, 0), pool, [ranked[row]])
        assert [entry["answers"][0] for entry in alone.answers] == [own[row] for own in answers]
