"""The flags of every step that loads a model, the same everywhere."""

from __future__ import annotations

import argparse
from typing import Any


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say which model to load and how."""
    parser.add_argument("--model", required=True, help="folder, or hub id in the local cache")
    parser.add_argument("--dtype", required=True, help="auto, float32, bfloat16 or float16")
    parser.add_argument("--device", required=True, help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, required=True, help="CPU threads of torch")


def model_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the flags of `add_model_flags` as keywords of `scripts.lm.load.load_model`."""
    return {
        "source": args.model,
        "dtype": args.dtype,
        "device": args.device,
        "threads": args.threads,
    }
