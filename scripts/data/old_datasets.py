"""The `datasets` release that MetaICL's preprocessing was written for, in the preprocessing environment."""

from __future__ import annotations

import os
from typing import Any

from scripts.common.errors import UserError

VERSION = "1.4.0"


def import_datasets(cache: str) -> Any:
    """Import `datasets` with all its caches under `cache`. Raises `UserError` if it is missing or another release."""
    os.environ.update(HF_HOME=cache, HF_DATASETS_CACHE=cache, HF_MODULES_CACHE=cache, XDG_CACHE_HOME=cache)
    remedy = "run this step in the environment of envs/preprocess.yaml"
    try:
        import datasets
    except ImportError:
        raise UserError(f"datasets {VERSION} is not installed; {remedy}") from None
    if datasets.__version__ != VERSION:
        raise UserError(f"datasets is {datasets.__version__}, but the task files need {VERSION}; {remedy}")
    datasets.utils.logging.set_verbosity_error()
    return datasets
