"""The flags that tell a step which model to load and how."""

from __future__ import annotations

import argparse
from typing import Any


def add_model_flags(parser: argparse.ArgumentParser, *, family: str | None = None) -> None:
    """Add the flags that say which model to load and how.

    family: None where only causal models serve; `required` also asks for `--family`, and the name of a family asks for
    it with this default.
    """
    parser.add_argument("--model", required=True, help="folder, or hub id in the local cache")
    parser.add_argument("--dtype", required=True, help="auto, float32, bfloat16 or float16")
    parser.add_argument("--device", required=True, help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, required=True, help="CPU threads of torch")
    if family is not None:
        about = "of the model: causal, encoder or encoder_decoder"
        default = {"required": True} if family == "required" else {"default": family}
        parser.add_argument("--family", help=about, **default)


def model_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the flags of `add_model_flags` as keywords of `scripts.lm.load.load_model`."""
    family = {"family": args.family} if "family" in args else {}
    return {
        "source": args.model,
        "dtype": args.dtype,
        "device": args.device,
        "threads": args.threads,
        **family,
    }
