"""One place for randomness: seed everything first, draw from named generators."""

from __future__ import annotations

import hashlib
import random
import sys
from typing import Union

import numpy as np


def derive_seed(seed: int, *names: Union[str, int]) -> int:
    """Return a 63-bit seed that depends on `seed` and on every name, equal on every machine and Python version."""
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: Union[str, int]) -> np.random.Generator:
    """Return an independent NumPy generator for one purpose, so that adding a draw elsewhere changes nothing here."""
    return np.random.default_rng(derive_seed(seed, *names))


def seed_all(seed: int) -> None:
    """Seed Python, NumPy and, where it is loaded, torch (all devices)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)
