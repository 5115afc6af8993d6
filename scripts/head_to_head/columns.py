"""The columns of the CSV files that the steps of the head-to-head read and hand on."""

OPERATION_COLUMNS = ("what", "flops")
TIME_COLUMNS = ("method", "part", "seconds")
SCORE_COLUMNS = ("learning", "method", "percent", "seed", "metric", "value", "n")
"""Of the tables that `scripts.delift.score_answers` writes."""
