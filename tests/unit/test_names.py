"""Names in words: entries, numbered settings, and slugs without an entry."""

from __future__ import annotations

import re

import pytest

from scripts.common.files import read_csv
from scripts.common.metrics import PUBLISHED_COLUMNS
from scripts.common.names import in_words, known, text_in_words
from scripts.report.shown_comparison import method_words
from tests.workspace import REPO_ROOT


@pytest.mark.parametrize(
    ("slug", "words"),
    [
        ("cqa", "CommonsenseQA"),
        ("cqa_test", "CommonsenseQA, test rows"),
        ("sst2/dpc_20", "SST-2, 20 texts a class"),
        ("mini_stage_2/fft/percent_10", "Stage 2, synthetic, fft, 10 % of the pool"),
        ("t5_v1_1_base", "T5 v1.1 base"),
        ("bert_large", "BERT large"),
        ("my_own_pool", "my own pool"),
    ],
)
def test_a_slug_in_words(slug, words):
    assert in_words(slug) == words


def test_a_text_keeps_the_names_that_have_no_entry():
    text = "Win rate of mini_causal on cqa_test and my_own_test (docs/head_to_head.md), gt_0.8"
    told = "Win rate of mini language model on CommonsenseQA, test rows and my_own_test (docs/head_to_head.md), gt_0.8"
    assert text_in_words(text) == told


def test_only_entries_are_known():
    assert known("palm")
    assert not known("my_own_pool")


def test_no_published_value_is_shown_with_a_slug():
    """A slug is lower case with an underscore between its words."""
    slug = re.compile(r"[a-z0-9]+_[a-z0-9_]+")
    for path in sorted((REPO_ROOT / "config" / "published").glob("*.csv")):
        for row in read_csv(path, PUBLISHED_COLUMNS):
            shown = [in_words(row[key]) for key in ("setting", "model", "metric")]
            shown.append(method_words(row["method"]))
            assert [words for words in shown if slug.search(words)] == [], path.name
