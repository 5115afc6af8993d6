"""The columns of the CSV file that MEND's scoring step hands on to those that average its scores."""

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
