"""How differences are written: sign, digits by the interval, large numbers in words."""

from __future__ import annotations

import pytest

from scripts.report.claim_text import measured_difference, plain, printed_difference, signed


def row(metric: str, difference: float, low: float | str = "", high: float | str = "") -> dict[str, str]:
    return {"metric": metric, "difference": str(difference), "low": str(low), "high": str(high), "published": "0.07"}


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (row("score_percent", 19.66, 6.18, 33.151), "+19.7 [6.2, 33.2] points"),
        (row("score_percent", -0.0351, -0.17, 0.104), "−0.04 [−0.17, 0.10] points"),  # else −0.0 [−0.2, 0.1]
        (row("exact_match", -0.031, -0.071, 0.009), "−3.1 [−7.1, 0.9] points"),
        (row("auc", -0.0512, -0.076, -0.026), "−0.051 [−0.076, −0.026] AUC"),
        (row("query_flops", 9.13e8), "+913 million operations"),
        (row("query_flops", -2.5e12), "−2.50 trillion operations"),
        (row("query_flops", 12.0), "+12.0 operations"),
    ],
)
def test_a_measured_difference(found, text):
    assert measured_difference(found) == text


def test_zero_has_no_sign():
    assert (signed(-0.01, 1), signed(0.01, 1), plain(-0.04, 1)) == ("0.0", "0.0", "0.0")
    assert (signed(0.06, 1), plain(0.06, 1), plain(-0.06, 1)) == ("+0.1", "0.1", "−0.1")


def test_a_printed_difference():
    assert printed_difference(row("exact_match", 0.0)) == "+7.0 points"
