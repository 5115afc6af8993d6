"""What the steps that answer, judge and collect the benchmarks agree on: groups, ids and columns."""

from __future__ import annotations

OVERALL = {"alpaca_eval": "all", "mt_bench": "overall"}
"""The name under which each benchmark's published table has the value over all its groups."""
JUDGED_COLUMNS = ("mode", "anchors", "method", "seed", "group", "metric", "value", "n")
"""Of the tables that `judge_answers` writes."""


def question_id(text: str) -> int | str:
    """Return the id as FastChat's question file has it: a whole number where it is one."""
    return int(text) if text.isascii() and text.isdigit() else text
