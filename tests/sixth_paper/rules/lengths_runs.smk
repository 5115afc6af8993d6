# What the made-up sixth paper declares.
LENGTHS = config["lengths"]
LENGTHS_TABLES = ["table_1"]
LENGTHS_FIGURES = []
LENGTHS_MODELS = []


def lengths_raw_files():
    """Return (dataset, split) of every raw file the paper reads."""
    return [(dataset, "train") for dataset in LENGTHS["datasets"]]
