"""Claims: what a query takes, how both sides are paired, and the rule that decides; small values by hand."""

from __future__ import annotations

import math

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv
from scripts.common.metrics import PUBLISHED_COLUMNS, metric_row, reason_row
from scripts.common.spread import t_chance
from scripts.common.yaml_files import read_yaml
from scripts.report.claim_tables import claims_table
from scripts.report.claims import (
    CLAIM_COLUMNS,
    CONTRARY,
    HOLDS,
    NOT_MEASURED,
    NOT_RUN,
    UNDECIDED,
    Claim,
    beside,
    decided,
    directions,
    find,
    published_difference,
    read_claims,
    verdicts,
)
from tests.workspace import REPO_ROOT

CLAIMS = REPO_ROOT / "config" / "published" / "claims.yaml"


def claim(**changes) -> Claim:
    values = {
        "name": "one",
        "paper": "mend",
        "where": "Table 1",
        "claim": "One is better than two.",
        "better": {"method": "one"},
        "worse": {"method": "two"},
        "query": {"metric": "score", "setting": "s"},
        "tiers": {"mini": {}},
    }
    return Claim(**{**values, **changes})


def rows(method: str, values, setting: str = "s", metric: str = "score"):
    return [
        {key: str(value) for key, value in metric_row("mend", "e", setting, "m", method, seed, metric, v, 10).items()}
        for seed, v in enumerate(values)
    ]


def test_pairs_are_of_equal_seeds() -> None:
    found = find(claim(), "mini", rows("one", [5.0, 7.0, 9.0]) + rows("two", [4.0, 4.0, 4.0, 100.0]), [])
    assert (found.difference, found.n) == (3.0, 3)
    # differences 1, 3, 5: standard deviation 2, t of 2 degrees 4.303
    assert found.low == pytest.approx(3 - 4.302653 * 2 / math.sqrt(3), abs=1e-5)
    assert found.p_value == pytest.approx(1 - t_chance(3 / (2 / math.sqrt(3)), 2))


def test_settings_are_averaged_within_a_seed() -> None:
    values = rows("one", [1.0, 2.0], "a/x") + rows("one", [3.0, 4.0], "b/x") + rows("two", [0.0, 0.0], "a/x")
    found = find(claim(query={"metric": "score", "setting": "*/x"}), "mini", values, [])
    assert found.difference == 2.5


def test_a_query_that_takes_two_measurements_is_refused() -> None:
    with pytest.raises(UserError, match="two values for metric score, setting s, method one, setting s, seed 0; name"):
        find(claim(), "mini", rows("one", [1.0]) + rows("one", [2.0]) + rows("two", [0.0]), [])


def test_where_lower_is_better_the_sign_turns_and_counts_need_no_interval() -> None:
    found = find(claim(lower=True, counted=True), "mini", rows("one", [3.0]) + rows("two", [5.0]), [])
    assert (found.difference, found.low, found.p_value) == (2.0, None, None)
    assert verdicts([claim()], [found]) == [HOLDS]


def test_one_seed_decides_nothing() -> None:
    found = find(claim(), "mini", rows("one", [9.0]) + rows("two", [1.0]), [])
    assert (found.difference, found.low) == (8.0, None)
    assert verdicts([claim()], [found]) == [UNDECIDED]


def test_a_constant_and_a_standard_error() -> None:
    asked = claim(worse={"value": 0.5}, error="se")
    found = find(asked, "mini", rows("one", [0.7]) + rows("one", [0.1], metric="se"), [])
    assert found.difference == pytest.approx(0.2)
    assert found.low == pytest.approx(0.2 - 0.196)
    assert found.p_value == pytest.approx(0.0455, abs=1e-4)


def test_a_margin_asks_whether_the_first_is_worse_by_less() -> None:
    near = find(claim(margin=1.0), "mini", rows("one", [9.5, 9.6, 9.4]) + rows("two", [10.0, 10.0, 10.0]), [])
    far = find(claim(margin=1.0), "mini", rows("one", [7.5, 7.6, 7.4]) + rows("two", [10.0, 10.0, 10.0]), [])
    assert verdicts([claim(margin=1.0)] * 2, [near, far]) == [HOLDS, CONTRARY]


def test_both_sides_and_what_stands_beside_them_are_means() -> None:
    values = (
        rows("one", [5.0, 7.0]) + rows("two", [4.0, 4.0, 100.0]) + rows("base", [1.0]) + rows("full", [2.0, 4.0], "f")
    )
    asked = claim(base={"method": "base"}, tiers={"mini": {"all": {"method": "full", "setting": "f"}}})
    found = find(asked, "mini", values, [])
    assert (found.better, found.worse, found.difference) == (6.0, 4.0, 2.0)  # the third seed of "two" has no partner
    assert (beside(asked, "base", "mini", values), beside(asked, "all", "mini", values)) == (1.0, 3.0)
    assert beside(claim(), "base", "mini", values) is None
    assert beside(asked, "base", "paper", values) is None
    assert beside(asked, "base", "mini", rows("one", [1.0])) is None


def test_the_table_of_claims_shows_tiers_that_measure_and_why_none_does() -> None:
    told = dict.fromkeys(CLAIM_COLUMNS, "")
    one = {**told, "claim": "a", "paper": "mend", "text": "A is better.", "where": "Table 1"}
    measured = {"metric": "exact_match", "difference": "0.25", "low": "0.125", "high": "0.375", "verdict": HOLDS}
    beside_it = {"better_mean": "0.75", "worse_mean": "0.5", "base_mean": "0.8", "published": "0.07"}
    mini = {**one, "tier": "mini", **measured, **beside_it}
    laptop = {**one, "tier": "laptop", "verdict": NOT_RUN, "reason": NOT_MEASURED}
    assert claims_table([mini, laptop])[2:] == [
        "| A is better. | Table 1 | mini | **holds** | +25.0 [12.5, 37.5] points"
        " | 75.0 | 50.0 | 80.0 |  | +7.0 points |"
    ]
    assert claims_table([laptop])[2:] == [
        f"| A is better. | Table 1 | laptop | not run: {NOT_MEASURED} |  |  |  |  |  |  |"
    ]


def test_what_is_missing_says_why() -> None:
    assert find(claim(tiers={"paper": {}}), "mini", [], []).reason == NOT_MEASURED
    why = [{key: str(value) for key, value in reason_row("mend", "e", "out of reach", setting="s").items()}]
    found = find(claim(), "mini", rows("one", [1.0]), why)
    assert found.reason == "out of reach"
    assert verdicts([claim()], [found]) == [NOT_RUN]
    assert find(claim(), "mini", rows("one", [1.0]), []).reason == "not measured in this run"


def test_many_claims_are_corrected_for() -> None:
    # sorted .01 .02 .03 .2 of 4: limits .0125 .025 .0375 .05
    assert decided([0.03, 0.2, 0.01, None, 0.02]) == [True, False, True, False, True]
    assert decided([0.04, 0.03]) == [True, True]
    assert decided([0.04, 0.2, 0.5]) == [False, False, False]
    assert decided([]) == []


def test_the_printed_difference_is_of_the_same_settings() -> None:
    printed = [
        {"experiment": "e", "setting": s, "model": "m", "method": m, "metric": "score", "value": v}
        for s, m, v in (("a", "one", "3"), ("a", "two", "1"), ("b", "one", "8"), ("b", "two", "4"))
    ]
    assert published_difference(claim(query={"metric": "score"}, published={}), printed) == 3.0
    assert published_difference(claim(query={"metric": "score"}, published={"setting": "b"}), printed) == 4.0
    assert published_difference(claim(), printed) is None
    with pytest.raises(UserError, match="one.published: no published value"):
        published_difference(claim(published={}), printed)


def test_faults_of_the_file_name_claim_and_key() -> None:
    with pytest.raises(UserError, match=r"c.yaml: x.beter: unknown key \(did you mean 'better'\?\)"):
        read_claims({"x": {"beter": 1}}, "c.yaml")
    with pytest.raises(UserError, match="c.yaml: x.where: is missing; every claim gives paper, where"):
        read_claims({"x": {"paper": "mend"}}, "c.yaml")


def test_the_claims_of_the_papers_are_well_formed() -> None:
    claims = read_claims(read_yaml(CLAIMS), str(CLAIMS))
    assert 25 <= len(claims) <= 45
    assert {one.paper for one in claims} == {"mend", "ddg", "step_by_step", "delift", "nuggets"}
    for one in claims:
        assert one.tiers, f"{one.name}: no tier measures it"
        assert all((REPO_ROOT / "config" / "tiers" / f"{tier}.yaml").is_file() for tier in one.tiers), one.name
        assert one.claim.endswith("."), one.name
        assert one.where.endswith("papers") or any(word in one.where for word in ("able", "igure", "abstract")), (
            one.name
        )


@pytest.mark.parametrize("one", read_claims(read_yaml(CLAIMS), str(CLAIMS)), ids=lambda one: one.name)
def test_what_a_claim_says_to_be_printed_is_printed(one: Claim) -> None:
    """A pattern that takes no published value would be an error at the end of a long run."""
    rows_of_paper = read_csv(REPO_ROOT / "config" / "published" / f"{one.paper}.csv", PUBLISHED_COLUMNS)
    printed = published_difference(one, [row for row in rows_of_paper if row["origin"] == "paper"])
    assert (printed is None) == (one.published is None)
    assert printed is None or printed > 0  # the papers print what they claim


def test_directions_are_of_measured_differences_that_are_printed_too() -> None:
    pairs = [("2", "1.5"), ("-3", "1"), ("-1", "-0.5"), ("", "4"), ("4", "")]
    assert directions([{"difference": ours, "published": theirs} for ours, theirs in pairs]) == (2, 3)
