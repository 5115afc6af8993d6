# The shipped small models, and what the report shows of them; the rules are in models.smk.
MINI_DISTILLERS = ["distiller", "distiller_lm"]  # stage 1 of MEND
MINI_MODELS = ["causal", "small", "encoder", "t5", "t5_small", *MINI_DISTILLERS]
MINI_WORLD_TABLES = ["table_models"]
MINI_WORLD_FIGURES = ["figure_in_context", "figure_authors"]


def mini_cards():
    """Return the card of every shipped model."""
    return [f"resources/mini/{name}/card.json" for name in MINI_MODELS]
