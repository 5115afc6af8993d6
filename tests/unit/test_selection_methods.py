"""The registry of ways to choose: every fact said, every function there, unknown names an error where they are read."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from scripts.common import method_styles
from scripts.common.errors import UserError
from scripts.common.files import write_csv
from scripts.common.sizes import subset_size, whole_part
from scripts.head_to_head.comparison import Selection
from scripts.selection import methods, ways
from scripts.selection.choosing import Choice, Method, Sources
from scripts.selection.methods import COSTS, MATERIALS, OFFERED, WAYS, Way, check_methods, needs, way_of, ways_of
from scripts.selection.scores import best, eligible

FACTS = {field.name: getattr(WAYS["random"], field.name) for field in dataclasses.fields(Way)}
OPTIONS = [field.name for field in dataclasses.fields(Method)]


@pytest.mark.parametrize("name", WAYS)
def test_every_way_has_its_function_its_options_and_a_style(name):
    way = WAYS[name]
    assert ways.FUNCTIONS[name].__name__ == way.function
    assert set(way.options) < set(OPTIONS)
    assert any(name in ways_of(paper) for paper in OFFERED)
    style = method_styles.method_style(name)
    assert (style.color, style.marker, style.label) == (way.color, way.marker, way.title)


@pytest.mark.parametrize("fact", FACTS)
def test_leaving_out_a_fact_is_an_error(fact):
    with pytest.raises(TypeError, match=fact):
        Way(**{key: value for key, value in FACTS.items() if key != fact})


@pytest.mark.parametrize(
    "facts, message",
    [
        ({"needs": ("gradient",)}, "needs: 'gradient' is none of"),
        ({"cost": "free"}, "cost: 'free' is none of"),
        ({"end": "top", "options": ("order",)}, "end: 'top' is none of"),
        ({"end": "highest"}, "the option 'order' is missing"),
    ],
)
def test_a_fact_that_means_nothing_is_an_error(facts, message):
    with pytest.raises(ValueError, match=message):
        Way(**{**FACTS, **facts})


def test_a_way_without_its_function_is_an_error(monkeypatch):
    monkeypatch.setitem(WAYS, "new", Way(**{**FACTS, "function": "by_new"}))
    with pytest.raises(ValueError, match="new: no function by_new"):
        ways.functions()


def test_a_style_cannot_be_given_twice():
    with pytest.raises(ValueError, match="random: has the style"):
        method_styles.add_styles({"random": ("#000000", "o", "chance")})


def test_what_the_papers_can_choose_by():
    assert ways_of("nuggets") == [
        "none", "all", "random", "golden_score", "perplexity", "ifd", "length", "deft_ucs", "herding", "k_center",
    ]  # fmt: skip
    assert set(ways_of("delift")) == set(WAYS) - {"golden_score", "perplexity", "length"}
    assert {name for name, way in WAYS.items() if way.random} == {"random", "only_good"}
    assert {name for name, way in WAYS.items() if way.goal} == {
        "golden_score", "less", "utility", "mean_utility", "embedding", "goal_bm25", "goal_neighbours",
    }  # fmt: skip
    assert {way.cost for way in WAYS.values()} == set(COSTS)
    assert {need for way in WAYS.values() for need in way.needs} == set(MATERIALS)


def test_unknown_ways_are_errors_where_they_are_read():
    with pytest.raises(UserError, match=r"nuggets.methods.mine.by: unknown value 'lenght' \(did you mean 'length'\?\)"):
        check_methods({"mine": {"by": "lenght"}}, "nuggets.methods")
    with pytest.raises(UserError, match="selection: by: mine: unknown value 'unknown'"):
        Selection(None, "pair", "model", "fft", [10], [0], ["mine"], [], {"mine": "unknown"})
    with pytest.raises(UserError, match="method: by: unknown value 'unknown'"):
        Method("unknown")
    with pytest.raises(UserError, match=r"materials: unknown 'embedding' \(did you mean 'embeddings'\?\)"):
        needs("k_center", "embedding")


def test_needs_of_a_way():
    assert needs("k_center", "embeddings")
    assert needs("utility", "similarities", "utilities")
    assert not needs("random", *MATERIALS)
    assert way_of("mean_utility").needs == ("utilities",)


# 2.5, 1.5 and 0.5 rows: halves are dropped, as int(share * n) does in DELIFT's released code; never no row at all.
@pytest.mark.parametrize(
    "n_pool, fraction, size",
    [
        (5, 0.5, 2), (3, 0.5, 1), (1, 0.5, 1), (10, 0.25, 2), (10, 0.24, 2), (10, 0.29, 2), (10, 1.0, 10), (3, 0.01, 1),
        (33, 0.3, 9), (100, 0.29, 29), (10, 0.7, 7), (52002, 0.145, 7540), (21000, 0.3, 6300),
    ],
)  # fmt: skip
def test_the_one_rule_for_sizes(n_pool, fraction, size):
    assert subset_size(n_pool, fraction) == size


def test_parts_of_a_row_are_dropped_wherever_a_share_is_taken():
    assert [whole_part(n, 0.5) for n in range(8)] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [whole_part(100, percent / 100) for percent in (29, 57, 58)] == [29, 57, 58]


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.01, float("nan")])
def test_no_size_outside_the_pool(fraction):
    with pytest.raises(UserError, match=r"--size-fraction .*outside \(0, 1\]"):
        subset_size(10, fraction, "--size-fraction")


def test_an_ifd_of_1_or_more_is_never_one_of_the_hard_ones():
    values = [0.5, 1.0, None, 1.2, 0.999]
    assert eligible("ifd", values, "highest") == [0.5, None, None, None, 0.999]
    assert eligible("ifd", values, "lowest") == values
    assert eligible("perplexity", values, "highest") == values
    assert best(eligible("ifd", values, "highest"), 3, "highest") == [4, 0]
    assert best([2.0, 1.0, 2.0, None, 1.0], 3, "lowest") == [1, 4, 0]


@pytest.fixture
def sources(tmp_path):
    rows = [{"id": f"r{i}", "ifd": f"{i / 10}", "less": f"{i}"} for i in range(10)]
    write_csv(tmp_path / "scores.csv", rows, ("id", "ifd", "less"))
    materials = dict.fromkeys(("ifd", "gradients"), str(tmp_path / "scores.csv"))
    return Sources("pool", tuple(row["id"] for row in rows), "tests", materials, {})


def test_sizes_and_seeds_are_computed_once_where_they_do_not_matter(sources, monkeypatch):
    calls = []
    monkeypatch.setitem(ways.FUNCTIONS, "less", lambda *given: calls.append(given[2:]) or ways.by_column(*given))
    monkeypatch.setitem(ways.FUNCTIONS, "random", lambda *given: calls.append(given[2:]) or ways.by_random(*given))
    found = ways.choose(sources, Method("less"), [0.2, 0.45], [0, 1])
    assert found == {(0.2, 0): Choice((9, 8)), (0.2, 1): Choice((9, 8)), (0.45, 0): Choice((9, 8, 7, 6)),
                     (0.45, 1): Choice((9, 8, 7, 6))}  # fmt: skip
    assert calls == [(4, 0)]  # the larger size holds the smaller one
    ways.choose(sources, Method("random"), [0.2, 0.4], [0, 1])
    assert calls[1:] == [(2, 0), (2, 1), (4, 0), (4, 1)]


def test_the_lowest_scores_on_request(sources):
    assert ways.choose(sources, Method("less", order="lowest"), [0.3], [0])[0.3, 0].rows == (0, 1, 2)


def test_stochastic_greedy_is_random_and_not_nested():
    assert Method("utility", optimiser="stochastic").random
    assert not Method("utility", optimiser="stochastic").nested
    assert Method("utility").nested
    assert not Method("utility").random
    assert not Method("golden_score", above=0.5).nested
    assert Method("golden_score", order="highest").nested


def test_the_config_check_gets_its_names_from_here():
    assert methods.config_names() == {"ways_of_nuggets": ways_of("nuggets"), "ways_of_delift": ways_of("delift")}


def test_released_deft_ucs_returns_places_inside_the_clusters():
    from scripts.selection.deft_ucs import released_deft_ucs

    # Two clusters far apart; scalar products with the centres rise with the first value, and with the second value.
    points = np.array([[9, 0], [8, 0], [7, 0], [6, 0], [0, 9], [0, 8], [0, 6], [0, 7]], dtype=np.float32)
    # 8 rows, 4 of each cluster: rising 3 2 1 0 and 2 3 1 0; of each the first 1 and the last 1 of 2, as places in it.
    assert released_deft_ucs(points, 4, clusters=2, near_share=0.5).tolist() in ([3, 0, 2], [2, 0, 3])
    # With 1 from each, nothing is first and int(-0.5) is 0: the whole list.
    assert sorted(released_deft_ucs(points, 2, clusters=2, near_share=0.5).tolist()) == [0, 1, 2, 3]
