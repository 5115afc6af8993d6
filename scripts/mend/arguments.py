"""Command-line pieces that MEND's steps share."""

from __future__ import annotations

import argparse
from typing import Any


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say which large model to load and how."""
    parser.add_argument("--model", required=True, help="folder or hub id of the large model")
    parser.add_argument("--family", default="causal", help="causal or encoder_decoder")
    parser.add_argument("--dtype", required=True, help="of the large model: auto, float32, bfloat16 or float16")
    parser.add_argument("--device", required=True, help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", required=True, type=int, help="CPU threads of torch")


def model_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the flags of `add_model_flags`, without the model, as keywords of `load_model`."""
    return {"family": args.family, "dtype": args.dtype, "device": args.device, "threads": args.threads}
