"""The columns of the CSV files that the steps of the head-to-head read and hand on."""

OPERATION_COLUMNS = ("what", "flops")
TIME_COLUMNS = ("method", "part", "seconds")
PROMPT_COLUMNS = ("method", "task", "seed", "metric", "value", "n", "prefix_tokens", "n_vectors")
"""Of what `scripts.mend.evaluate_methods` writes, those that are read here."""
CONTEXT_COLUMNS = ("method", "accuracy", "n", "prefix_tokens")
"""Of what `scripts.ddg.evaluate_in_context` writes, those that are read here."""
