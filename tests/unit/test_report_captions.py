"""Captions: filled in like Snakemake's, split into paragraphs and marked words."""

from __future__ import annotations

import pytest

from scripts.common.errors import UserError
from scripts.report.captions import Span, fill_caption, parse_caption, plain_text, split_lead


def test_expressions_are_filled_in_from_the_configuration():
    text = 'Tier {{ snakemake.config["tier"] }}, seeds {{ snakemake.config["nuggets"]["seeds"] | join(", ") }}.'
    config = {"tier": "mini", "nuggets": {"seeds": [0, 1]}}
    assert fill_caption(text, config, "x.rst") == "Tier mini, seeds 0, 1."


@pytest.mark.parametrize(
    "text", ["{{ snakemake.config['nope'] }}", "{{ snakemake.wildcards.seed }}", "{{ ", "{{ ().__class__.__mro__ }}"]
)
def test_a_broken_or_unknown_expression_names_the_caption(text):
    with pytest.raises(UserError, match="report/x.rst: .*; correct the {{ }} expression"):
        fill_caption(text, {"tier": "mini"}, "report/x.rst")


def test_paragraphs_and_marked_words():
    text = "Win rate\nof ``gt_0.8``, 2 * 3 * 4.\n\nBars are **95 %** *t*-intervals.\n"
    assert parse_caption(text) == [
        [Span("", "Win rate of "), Span("code", "gt_0.8"), Span("", ", 2 * 3 * 4.")],
        [Span("", "Bars are "), Span("strong", "95 %"), Span("", " "), Span("em", "t"), Span("", "-intervals.")],
    ]


def test_first_sentence_serves_as_alternative_text():
    assert plain_text(parse_caption("Score of ``top``, 0.8 at best. More follows.")) == "Score of top, 0.8 at best."
    assert plain_text(parse_caption("\n")) == ""


def test_the_lead_is_the_strong_beginning():
    lead, rest = split_lead(parse_caption("**What it shows.** Means of ``top``.\n\nMore."))
    assert lead == "What it shows"
    assert rest == parse_caption("Means of ``top``.\n\nMore.")
    assert split_lead(parse_caption("No **strong** beginning."))[0] == ""
    assert split_lead(parse_caption("**Alone.**")) == ("Alone", [])
    assert split_lead([]) == ("", [])
