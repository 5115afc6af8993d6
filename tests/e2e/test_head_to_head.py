"""What the default run shows in the head-to-head: results of every method on one pool, with what choosing costs."""

from __future__ import annotations

from pathlib import Path

from scripts.common.metrics import read_metrics
from scripts.common.spread import Spread, spread

METHODS = ("random", "k_center", "deft_ucs", "perplexity", "ifd", "selectit", "less", "nuggets", "delift")
LOGLIK, MATCH = "reference_loglik_nats_per_token", "exact_match"


def values(results: Path, artifact: str, setting: str, method: str, metric: str) -> list[float]:
    """Return one metric's values over seeds."""
    asked = ("head_to_head", artifact, setting, method, metric)
    return [
        float(row["value"])
        for row in read_metrics(results / "metrics.csv")
        if (row["paper"], row["artifact"], row["setting"], row["method"], row["metric"]) == asked
    ]


def learnt(results: Path, method: str, percent: int, metric: str) -> Spread:
    """Return what the model reaches after learning from a subset, with its 95 % interval."""
    return spread(values(results, "table_selection", f"percent_{percent}", method, metric))


def flops(results: Path, method: str) -> float:
    """Return the operations of choosing."""
    (value,) = values(results, "table_selection", "choosing", method, "flops")
    return value


def test_every_method_is_measured_at_every_size_with_five_seeds(results: Path) -> None:
    for method in METHODS:
        for percent in (10, 30):
            assert learnt(results, method, percent, MATCH).n == 5
    assert learnt(results, "full", 100, MATCH).n == 5


def test_choosing_for_the_goal_beats_all_that_does_not_know_it(results: Path) -> None:
    for percent in (10, 30):
        aimed = [learnt(results, method, percent, LOGLIK) for method in ("less", "nuggets", "delift")]
        blind = [learnt(results, method, percent, LOGLIK) for method in METHODS[:6]]
        assert min(one.low for one in aimed) > max(one.high for one in blind[1:])
        assert min(one.mean for one in aimed) > blind[0].mean  # random: too uncertain for more at 10 %
        assert min(one.low for one in aimed) > learnt(results, "full", 100, LOGLIK).high


def test_gradients_cost_a_fifth_of_demonstrations_and_do_no_worse(results: Path) -> None:
    assert flops(results, "less") < 0.2 * min(flops(results, "nuggets"), flops(results, "delift"))
    for percent in (10, 30):
        less, delift = (learnt(results, method, percent, LOGLIK) for method in ("less", "delift"))
        assert less.low > delift.high


def test_costs_stand_in_the_order_of_what_is_read(results: Path) -> None:
    order = ("random", "k_center", "perplexity", "ifd", "selectit", "nuggets")
    costs = [flops(results, method) for method in order]
    assert costs == sorted(costs)
    assert costs[0] == 0
    assert flops(results, "k_center") == flops(results, "deft_ucs")
