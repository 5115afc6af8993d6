"""The columns of the CSV files that MEND's measuring steps hand on to the step that collects them."""

SCORE_COLUMNS = (
    "method",
    "task",
    "seed",
    "metric",
    "value",
    "n",
    "perturbation",
    "n_demonstrations",
    "format",
    "prefix_tokens",
    "n_vectors",
    "shots",
)
EFFICIENCY_COLUMNS = ("method", "n_demonstrations", "phase", "quantity", "value")
ATTENTION_COLUMNS = ("reader", "layer", "part", "share")
