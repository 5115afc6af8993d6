"""The front door offers what the registry of ways has, and asks of each what it needs."""

from __future__ import annotations

import dataclasses

import pytest

from scripts.common.errors import UserError
from scripts.own import ways
from scripts.own.choosing import parser
from scripts.own.comparing import parser as compare_parser
from scripts.selection.choosing import Method
from scripts.selection.methods import WAYS


def test_every_way_that_chooses_is_offered() -> None:
    assert set(WAYS) - set(ways.offered()) == {"none", "all", "only_good"}


def test_a_new_way_of_the_registry_appears_with_its_help_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WAYS, "shortest", dataclasses.replace(WAYS["length"], title="shortest answers"))
    assert any(line.startswith("  shortest      shortest answers: ") for line in ways.help_lines())
    assert ways.parse_ways("shortest") == ["shortest"]


@pytest.mark.parametrize("name", ways.offered())
def test_each_row_says_all_that_a_way_must_be_told(name: str) -> None:
    row = ways.method_row(name)
    assert Method(**row).end == ways.end_of(name)
    if WAYS[name].end in ("highest", "lowest"):
        assert ways.end_of(name) == WAYS[name].end


def test_perplexity_is_best_low_and_length_high() -> None:
    assert (ways.end_of("perplexity"), ways.end_of("length"), ways.end_of("golden_score")) == (
        "lowest",
        *["highest"] * 2,
    )


def test_names_of_papers_and_of_the_registry_mean_the_same() -> None:
    assert ways.parse_ways("nuggets, golden_score,delift") == ["golden_score", "utility"]
    assert [ways.spoken(name) for name in ("golden_score", "utility", "ifd")] == ["nuggets", "delift", "ifd"]


def test_only_what_is_missing_is_asked_for() -> None:
    ways.check_ways(["random"], goal=False, model=False)
    ways.check_ways(["golden_score", "utility", "k_center"], goal=False, model=True)
    with pytest.raises(UserError, match="--model"):
        ways.check_ways(["random", "k_center"], goal=True, model=False)
    ways.check_ways(["goal_bm25"], goal=True, model=False)
    for name in ("bm25", "neighbours"):
        with pytest.raises(UserError, match=f"--by {name}: chooses for something; give --goal"):
            ways.check_ways(ways.parse_ways(name), goal=False, model=True)


def test_ways_whose_choice_of_more_is_no_longer_choice_run_where_any_size_can_be_asked_for() -> None:
    assert ways.paper_of("random") == ways.paper_of("deft_ucs") == "nuggets"
    assert {ways.paper_of(name) for name in ("utility", "less", "k_center", "embedding")} == {"delift"}


@pytest.mark.parametrize("built", [parser(), compare_parser()])
def test_help_fits_a_screen(built) -> None:
    lines = built.format_help().splitlines()
    assert len(lines) <= 48
    assert max(map(len, lines)) <= 100
    groups = [line.rstrip(":") for line in lines if line in ("data:", "method:", "model:", "machine:")]
    assert groups == ["data", "method", "model", "machine"]
